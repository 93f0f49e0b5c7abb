import DetentCLI

CommandLineTool.evalppl()
