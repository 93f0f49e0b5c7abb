import DetentCLI

CommandLineTool.convert()
