import ByteIO
import TensorIR
import Tokenization

/// Holds the tokenizer of a written file against the one that it was made from.
struct TokenizerComparison {
    private let source: Tokenizer
    private let written: Tokenizer

    /// Tokens of the vocabulary that are looked for in text, of which so many are tried.
    private static let addedTokenCount = 100

    init(source: Tokenizer, written: Tokenizer) {
        (self.source, self.written) = (source, written)
    }

    /// - Throws: `ModelError` naming the first text that the two encode, or decode, in different ways.
    func check() throws {
        // The texts do not reach every token; this does.
        let vocabulary = 0..<Int32(clamping: source.vocabularySize)
        guard source.decodeBytes(vocabulary) == written.decodeBytes(vocabulary) else {
            throw ModelError(
                "the tokenizer written is not that of the model: its vocabulary decodes to something "
                    + "else; nothing is written")
        }
        for text in GoldenTexts.all + textsWithAddedTokens {
            for isPlain in [false, true] {
                let ids = try source.encode(text, addSpecial: !isPlain, parseSpecial: !isPlain)
                let others = try written.encode(text, addSpecial: !isPlain, parseSpecial: !isPlain)
                guard ids == others else {
                    throw difference(text, "tokens", "\(ids.prefix(12))", "\(others.prefix(12))")
                }
                for skipSpecial in [false, true] {
                    let bytes = source.decodeBytes(ids, skipSpecial: skipSpecial)
                    let others = written.decodeBytes(ids, skipSpecial: skipSpecial)
                    guard bytes == others else {
                        throw difference(
                            text, "decoded", "'\(String(decoding: bytes, as: UTF8.self))'",
                            "'\(String(decoding: others, as: UTF8.self))'")
                    }
                }
            }
        }
    }

    private var textsWithAddedTokens: [String] {
        source.definition.addedTokens.prefix(TokenizerComparison.addedTokenCount).flatMap { token in
            ["\(token.content)", "a \(token.content) b\(token.content)\(token.content)c"]
        }
    }

    private func difference(
        _ text: String, _ what: String, _ expected: String, _ found: String
    ) -> ModelError {
        ModelError(
            "the tokenizer written is not that of the model: '\(text.escapedForDisplay)' \(what) to "
                + "\(found.escapedForDisplay) instead of \(expected.escapedForDisplay); nothing is written"
        )
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
        let written = try Tokenizer(checkpoint: output.checkpointWithoutTensors())
        try TokenizerComparison(source: source, written: written).check()
    }
}
