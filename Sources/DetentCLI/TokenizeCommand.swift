import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Reporting
import Tokenization

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turn text into a model's token ids, and ids into text.",
        usage:
            "detent tokenize [<options>] [<model>] (--text <text> | --file <file> | --ids <ids>)",
        discussion: """
              detent tokenize SmolLM2-135M --text "Hello, world"
              detent tokenize out.gguf --file text.txt --json
              detent tokenize out.gguf --ids "19556 28 905"
            """)

    @Argument(
        help: "The model whose tokenizer is used; without it, the one that comes with Detent.")
    var model: String?

    @Option(help: "The text itself.") var text: String?

    @Option(help: ArgumentHelp("A file with the text.", valueName: "file"), completion: .file())
    var file: String?

    @Option(help: "Token ids to turn back into text, with spaces or commas between them.")
    var ids: String?

    @Flag(
        help: """
            Leave out the BOS and EOS tokens that the tokenizer would add; with --ids, all special \
            tokens.
            """)
    var noSpecial = false

    @Flag(
        help:
            "Print {\"ids\":[…]} instead of a table of ids and their text; {\"text\":…} with --ids."
    )
    var json = false

    func validate() throws {
        guard [text, file, ids].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("Give one of '--text', '--file' and '--ids'.")
        }
        _ = try parsedIDs()
    }

    private func parsedIDs() throws -> [Int32] {
        try (ids ?? "").split { $0 == " " || $0 == "," }.map { word in
            guard let id = Int32(word), id >= 0 else {
                throw ValidationError("'--ids' has '\(word)', which is no token id.")
            }
            return id
        }
    }

    func run() throws {
        let tokenizer = try ModelFile.tokenizer(model ?? BundledData.defaultModelPath)
        if ids != nil { return try decode(parsedIDs(), with: tokenizer) }
        guard let file else { return try encode(Array((text ?? "").utf8), with: tokenizer) }
        let mapped = try MappedFile(path: file)
        do {
            try mapped.withBytes { try encode($0, with: tokenizer) }
        } catch let error as FormatError {
            throw error.inFile(file)
        }
    }

    private func decode(_ ids: [Int32], with tokenizer: Tokenizer) throws {
        let text = tokenizer.decode(ids, skipSpecial: noSpecial)
        let line = json ? JSON.object(["text": .string(text)]).text() : text
        try StandardStream.output.write(line + "\n")
    }

    private func encode(_ text: [UInt8], with tokenizer: Tokenizer) throws {
        try text.withUnsafeBytes { try encode($0, with: tokenizer) }
    }

    private func encode(_ text: UnsafeRawBufferPointer, with tokenizer: Tokenizer) throws {
        guard json else {
            let ids = try tokenizer.encode(utf8: text, addSpecial: !noSpecial)
            return try StandardStream.output.write(table(ids, tokenizer).text())
        }
        // Ids go out as they come: those of a large text would take several times its room.
        var document = IDDocument()
        try tokenizer.encode(utf8: text, addSpecial: !noSpecial) { ids in
            document.append(ids)
            try StandardStream.output.write(document.takeBytes())
        }
        document.close()
        try StandardStream.output.write(document.takeBytes())
    }

    private func table(_ ids: [Int32], _ tokenizer: Tokenizer) -> TextTable {
        var table = TextTable(("id", .right), ("text", .left))
        for id in ids {
            table.add(String(id), "'\(tokenizer.decode([id]).escapedForDisplay)'")
        }
        return table
    }
}

/// `{"ids":[…]}`, in parts.
private struct IDDocument {
    private var bytes = Array(#"{"ids":["#.utf8)
    private var isEmpty = true

    mutating func append(_ ids: [Int32]) {
        for id in ids {
            if !isEmpty { bytes.append(UInt8(ascii: ",")) }
            isEmpty = false
            append(decimal: UInt32(id))
        }
    }

    mutating func close() { bytes += Array("]}\n".utf8) }

    mutating func takeBytes() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    private mutating func append(decimal number: UInt32) {
        var power: UInt32 = 1
        while number / power >= 10 { power *= 10 }
        while power > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / power % 10))
            power /= 10
        }
    }
}
