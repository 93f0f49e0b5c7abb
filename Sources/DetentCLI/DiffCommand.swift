import ArgumentParser
import ByteIO
import Conversion
import Reporting
import TensorIR

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show where two models differ: weights, metadata, tokenizers.",
        usage: "detent diff [<options>] <first> <second>",
        discussion: """
            The formats may be any two. Tensors are listed by what the second lost against the \
            first, the worst on top. A safetensors model beside a GGUF is looked at as the GGUF \
            that 'convert' would make of it.

              detent diff model.safetensors q4.gguf
              detent diff q4-rtn.gguf q4-gptq.gguf --all
            """)

    @Argument(help: "The model that is taken for right.", completion: .file())
    var first: String

    @Argument(help: "The model that is held against it.", completion: .file())
    var second: String

    @Flag(help: "List every tensor that differs, not the worst twenty.")
    var all = false

    @Flag(help: "Print JSON, with every tensor.")
    var json = false

    @OptionGroup var work: WorkOptions

    func run() throws {
        let models = try [first, second].map { try ModelFile.open($0) }
        let difference = try ModelDifference(
            models[0], models[1], threadCount: work.threads, progress: work.progress)
        let text = DifferenceText(
            difference: difference, models: models.map { ModelSummary(named: $0) },
            limit: all ? .max : 20)
        try StandardStream.output.write(json ? text.json.text(indentation: 2) + "\n" : text.text)
    }
}
