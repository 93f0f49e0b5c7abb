import ArgumentParser

struct DetentCommand: RootCommand {
    static let configuration = CommandConfiguration(
        commandName: "detent",
        abstract: "Quantize language models, convert them, and measure what they lost.",
        discussion: """
            Where no model is named, a small one that comes with Detent is used.

              detent quantize --method gptq --bits 4 -o out.gguf
              detent evalppl out.gguf
              detent inspect out.gguf

            Exit status: 0 done, 1 a gate failed, 64 usage, 65 bad input, 74 input or \
            output, 130 interrupted.
            """,
        version: versionText,
        subcommands: [
            QuantizeCommand.self, ConvertCommand.self, EvaluateCommand.self, InspectCommand.self,
            ReportCommand.self, VerifyCommand.self, DiffCommand.self, ImportanceCommand.self,
            TokenizeCommand.self,
            LogitsCommand.self,
            GenerateCommand.self,
        ])
}
