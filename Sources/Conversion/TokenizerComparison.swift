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
        let vocabulary = 0..<Int32(clamping: source.vocabularySize)
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
        // Files that are made again are what they were.
        guard !(output.sink is OriginalFileWriter) else { return }
        let source: Tokenizer
        do {
            source = try Tokenizer(checkpoint: input)
        } catch let error as ModelError {
            // A copy of a model takes along what this package cannot read.
            guard model == nil else { throw error }
            return
        }
        let written = try output.checkpointWithoutTensors()
        guard !input.hasTokenizer(of: written) else { return }
        let comparison = TokenizerComparison(
            source: source, other: try Tokenizer(checkpoint: written))
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
