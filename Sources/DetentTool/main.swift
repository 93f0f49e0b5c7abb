import DetentCLI

CommandLineTool.detent()
