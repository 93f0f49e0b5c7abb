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
    ///
    /// - Parameters:
    ///   - output: the files.
    ///   - source: the model's tokenizer, where somebody has prepared it.
    /// - Throws: `ModelError` where they differ, and what reading the files throws.
    func checkTokenizer(of output: PendingOutput, source: Tokenizer? = nil) throws {
        guard !isMadeAgain else { return }
        let written = try output.checkpointWithoutTensors()
        guard !input.hasTokenizer(of: written.metadata, written.dialect) else { return }
        guard let source = try source ?? sourceTokenizer() else { return }
        let definition = try TokenizerDefinition(checkpoint: written)
        let comparison = TokenizerComparison(
            source: source, other: try Tokenizer(definition, sharing: source))
        if let difference = try comparison.firstDifference() {
            throw ModelError(
                "the tokenizer written is not that of the model: \(difference); nothing is written")
        }
    }

    /// Whether the output is to say the same of the tokenizer as the input, word for word.
    var keepsTokenizer: Bool { isMadeAgain || input.hasTokenizer(of: metadata, format.dialect) }

    /// Whether the output's files are to be what they were before they were compressed.
    private var isMadeAgain: Bool { OriginalFiles.paths(of: self) != nil }

    /// The model's tokenizer, or nil for a copy that takes along what this package cannot read.
    /// - Throws: `ModelError`, `FormatError`.
    func sourceTokenizer() throws -> Tokenizer? {
        do {
            return try Tokenizer(tokenizer ?? TokenizerDefinition(checkpoint: input))
        } catch let error as ModelError {
            guard model == nil else { throw error }
            return nil
        }
    }
}

extension Checkpoint {
    /// Whether both are GGUF and say the same of the tokenizer, word for word.
    fileprivate func hasTokenizer(of metadata: Metadata, _ dialect: Dialect) -> Bool {
        guard self.dialect == .gguf, dialect == .gguf else { return false }
        func words(_ metadata: Metadata) -> Metadata {
            metadata.filter { $0.key.string.hasPrefix("tokenizer.") }
        }
        return words(self.metadata) == words(metadata)
    }
}
