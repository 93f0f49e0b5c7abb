import ArgumentParser
import ByteIO
import Conversion
import TensorIR

/// Types of single tensors of a GGUF, over the rules of its mix.
struct TensorTypeOptions: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Type of the matrices whose GGUF name a regular expression finds, such as 'ffn_down=q6_k'; may be "
                + "repeated, the first that matches decides.",
            valueName: "regex=type"))
    var tensorType: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file of such, separated by blanks or lines; after those given as options.",
            valueName: "file"),
        completion: .file())
    var tensorTypeFile: String?

    @Option(
        help: ArgumentHelp(
            "Type of the output matrix, and of an embedding that doubles as one.",
            valueName: "type"))
    var outputTensorType: String?

    @Option(help: ArgumentHelp("Type of the token embedding.", valueName: "type"))
    var tokenEmbeddingType: String?

    @Flag(help: "Give every matrix the same type, instead of a mix.")
    var pure = false

    @Flag(
        help:
            "Refuse matrices whose rows are no whole blocks of their type, instead of taking another."
    )
    var noFallback = false

    /// - Throws: `ValidationError` for an option that cannot be read, `FormatError` for such a file.
    func types() throws -> TensorTypes {
        var types = TensorTypes()
        types.overrides = try tensorType.map { argument in
            guard let override = TensorTypes.Override(argument) else {
                throw ValidationError(
                    "'--tensor-type \(argument.escapedForDisplay)' is not 'regex=type'; "
                        + EncodingName.list)
            }
            return override
        }
        types.overrides += try fileOverrides()
        types.output = try encoding(outputTensorType, of: "--output-tensor-type")
        types.embedding = try encoding(tokenEmbeddingType, of: "--token-embedding-type")
        types.isPure = pure
        types.allowsFallback = !noFallback
        return types
    }

    /// Folders hold one type, and no names of GGUF.
    func check(format: OutputFormat) throws {
        guard format != .gguf else { return }
        let given = [
            ("--tensor-type", !tensorType.isEmpty), ("--tensor-type-file", tensorTypeFile != nil),
            ("--output-tensor-type", outputTensorType != nil),
            ("--token-embedding-type", tokenEmbeddingType != nil), ("--pure", pure),
            ("--no-fallback", noFallback),
        ].first(where: \.1)
        if let given { throw ValidationError("'\(given.0)' is for a '.gguf' output.") }
    }

    private func encoding(_ name: String?, of option: String) throws -> Encoding? {
        guard let name else { return nil }
        guard let encoding = EncodingName(argument: name)?.encoding else {
            throw ValidationError(
                "'\(option) \(name.escapedForDisplay)' is no type; \(EncodingName.list)")
        }
        return encoding
    }

    private func fileOverrides() throws -> [TensorTypes.Override] {
        guard let path = tensorTypeFile else { return [] }
        let text = String(decoding: try MappedFile.contents(ofFile: path), as: UTF8.self)
        return try text.split(whereSeparator: \.isWhitespace).map { word in
            guard let override = TensorTypes.Override(String(word)) else {
                throw FormatError(
                    .malformed, in: "tensor types",
                    at: text.utf8.distance(from: text.startIndex, to: word.startIndex),
                    "'\(word.prefix(64).description.escapedForDisplay)' is not 'regex=type'",
                    path: path)
            }
            return override
        }
    }
}

extension TensorTypes.Override {
    /// `ffn_down=q6_k`
    fileprivate init?(_ argument: String) {
        // A type has no '=' in it, an expression may.
        guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex,
            let type = EncodingName(argument: String(argument[argument.index(after: sign)...]))
        else { return nil }
        self.init(pattern: String(argument[..<sign]), encoding: type.encoding)
    }
}
