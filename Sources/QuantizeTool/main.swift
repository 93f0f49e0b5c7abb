import DetentCLI

CommandLineTool.quantize()
