import ByteIO
import TensorIR
import Tokenization

/// Holds the tokenizer of one file against that of another.
struct TokenizerComparison {
    private let source: Tokenizer
    private let other: Tokenizer

    /// Tokens of the vocabulary that are looked for in text, of which so many are tried.
    private static let addedTokenCount = 100

    init(source: Tokenizer, other: Tokenizer) {
        (self.source, self.other) = (source, other)
    }

    /// - Returns: the first text that the two encode, or decode, in different ways; nil where they agree.
    /// - Throws: what encoding throws.
    func firstDifference() throws -> String? {
        // The texts do not reach every token; this does.
        let vocabulary = Array(0..<Int32(clamping: source.vocabularySize))
        guard source.decodeBytes(vocabulary) == other.decodeBytes(vocabulary) else {
            return "its vocabulary decodes to something else"
        }
        for text in GoldenTexts.all + textsWithAddedTokens {
            for isPlain in [false, true] {
                let ids = try source.encode(text, addSpecial: !isPlain, parseSpecial: !isPlain)
                let others = try other.encode(text, addSpecial: !isPlain, parseSpecial: !isPlain)
                guard ids == others else {
                    return difference(text, "tokens", "\(ids.prefix(12))", "\(others.prefix(12))")
                }
                for skipSpecial in [false, true] {
                    let bytes = source.decodeBytes(ids, skipSpecial: skipSpecial)
                    let others = other.decodeBytes(ids, skipSpecial: skipSpecial)
                    guard bytes == others else {
                        return difference(
                            text, "decoded", "'\(String(decoding: bytes, as: UTF8.self))'",
                            "'\(String(decoding: others, as: UTF8.self))'")
                    }
                }
            }
        }
        return nil
    }

    private var textsWithAddedTokens: [String] {
        source.definition.addedTokens.prefix(TokenizerComparison.addedTokenCount).flatMap { token in
            ["\(token.content)", "a \(token.content) b\(token.content)\(token.content)c"]
        }
    }

    private func difference(
        _ text: String, _ what: String, _ expected: String, _ found: String
    ) -> String {
        "'\(text.escapedForDisplay)' \(what) to \(found.escapedForDisplay) instead of "
            + expected.escapedForDisplay
    }
}

extension ConversionPlan {
    /// Compares the tokenizer as it stands in the files, which do not have their names yet, with the
    /// model's.
    /// - Throws: `ModelError` where they differ, and what reading the files throws.
    func checkTokenizer(of output: PendingOutput) throws {
        if let source = try sourceTokenizer() { try check(source, against: output) }
    }

    /// The model's tokenizer, or nil for a copy that takes along what this package cannot read, and for files
    /// that are made again, which are what they were.
    /// - Throws: `ModelError`, `FormatError`.
    func sourceTokenizer() throws -> Tokenizer? {
        guard OriginalFiles.paths(of: self) == nil else { return nil }
        do {
            return try Tokenizer(tokenizer ?? TokenizerDefinition(checkpoint: input))
        } catch let error as ModelError {
            guard model == nil else { throw error }
            return nil
        }
    }

    /// - Throws: `ModelError` where the tokenizer in the files is another, and what reading them throws.
    func check(_ source: Tokenizer, against output: PendingOutput) throws {
        let written = try output.checkpointWithoutTensors()
        guard !input.hasTokenizer(of: written) else { return }
        let definition = try TokenizerDefinition(checkpoint: written)
        let comparison = TokenizerComparison(
            source: source, other: try Tokenizer(definition, sharing: source))
        if let difference = try comparison.firstDifference() {
            throw ModelError(
                "the tokenizer written is not that of the model: \(difference); nothing is written")
        }
    }
}

extension Checkpoint {
    /// Whether both are GGUF and say the same of the tokenizer, word for word.
    fileprivate func hasTokenizer(of other: Checkpoint) -> Bool {
        guard dialect == .gguf, other.dialect == .gguf else { return false }
        func words(_ metadata: Metadata) -> Metadata {
            metadata.filter { $0.key.string.hasPrefix("tokenizer.") }
        }
        return words(metadata) == words(other.metadata)
    }
}
