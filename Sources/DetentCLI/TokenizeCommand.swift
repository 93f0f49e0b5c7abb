import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Reporting
import Tokenization

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turn text into a model's token ids.",
        usage: "detent tokenize [<options>] [<model>] (--text <text> | --file <file>)",
        discussion: """
              detent tokenize SmolLM2-135M --text "Hello, world"
              detent tokenize out.gguf --file text.txt --json
            """)

    @Argument(
        help: "The model whose tokenizer is used; without it, the one that comes with Detent.")
    var model: String?

    @Option(help: "The text itself.") var text: String?

    @Option(help: ArgumentHelp("A file with the text.", valueName: "file"), completion: .file())
    var file: String?

    @Flag(help: "Leave out the BOS and EOS tokens that the tokenizer would add.")
    var noSpecial = false

    @Flag(help: "Print {\"ids\":[…]} instead of a table of ids and their text.")
    var json = false

    func validate() throws {
        if (text == nil) == (file == nil) {
            throw ValidationError("Name the text with either '--text' or '--file'.")
        }
    }

    func run() throws {
        let tokenizer = try ModelFile.tokenizer(model ?? BundledData.defaultModelPath)
        let ids: [Int32]
        if let file {
            let mapped = try MappedFile(path: file)
            do {
                ids = try mapped.withBytes { bytes in
                    try tokenizer.encode(utf8: bytes, addSpecial: !noSpecial)
                }
            } catch let error as FormatError {
                throw error.inFile(file)
            }
        } else {
            ids = try tokenizer.encode(text ?? "", addSpecial: !noSpecial)
        }
        try StandardStream.output.write(
            json ? document(ids).text() + "\n" : table(ids, tokenizer).text())
    }

    private func document(_ ids: [Int32]) -> JSON {
        ["ids": .array(ids.map { .integer(Int($0)) })]
    }

    private func table(_ ids: [Int32], _ tokenizer: Tokenizer) -> TextTable {
        var table = TextTable(("id", .right), ("text", .left))
        for id in ids {
            table.add(String(id), "'\(tokenizer.decode([id]).escapedForDisplay)'")
        }
        return table
    }
}
