import DetentCLI
