import ByteIO
import TensorIR

/// Byte pair encoding over bytes: words by the pre-tokenizer, bytes by the merges.
struct ByteLevelBPE: TokenizationModel {
    let steps: [CuttingStep]
    let pairs: PairTable
    /// The token of each single byte; -1 where there is none.
    let byteTokens: [Int32]
    /// Whole words, where the merges may be ignored.
    let words: ByteTable?
    let unknownToken: Int32?
    let fusesUnknown: Bool

    /// - Parameters:
    ///   - definition: the tokenizer.
    ///   - other: one made of a definition with the same tables (`hasTables(of:)`), which are taken from it.
    /// - Throws: `ModelError` for an expression that cannot be compiled, or a merge of unknown tokens.
    init(
        _ definition: TokenizerDefinition, sharing other: ByteLevelBPE? = nil
    ) throws(ModelError) {
        if let other {
            (byteTokens, pairs, words) = (other.byteTokens, other.pairs, other.words)
        } else {
            let vocabulary = ByteLevelBPE.vocabulary(definition)
            byteTokens = (0...UInt8.max).map { vocabulary[[$0]] ?? -1 }
            pairs = try ByteLevelBPE.pairs(definition.merges, vocabulary)
            words = definition.ignoresMerges ? ByteLevelBPE.words(definition) : nil
        }
        steps = try CuttingStep.compiled(definition.preTokenizer)
        let byteLevelCount = definition.preTokenizer.count {
            if case .byteLevel = $0 { true } else { false }
        }
        guard byteLevelCount == 1 else {
            throw ModelError(
                "a byte-level BPE needs one pre-tokenizer 'ByteLevel'; there are \(byteLevelCount)")
        }
        (unknownToken, fusesUnknown) = (definition.unknownToken, definition.fusesUnknown)
    }

    private static func vocabulary(_ definition: TokenizerDefinition) -> ByteTable {
        var vocabulary = ByteTable(minimumCapacity: definition.tokens.count)
        var bytes: [UInt8] = []
        for (id, token) in definition.tokens.enumerated() {
            bytes.removeAll(keepingCapacity: true)
            // An added token may have a space in it, say: that is no spelling of bytes.
            guard ByteAlphabet.append(token, to: &bytes) else { continue }
            vocabulary.insert(bytes, Int32(id))
        }
        return vocabulary
    }

    /// Added tokens are no words: where one stands in a text and does not count, its text is cut
    /// up.
    private static func words(_ definition: TokenizerDefinition) -> ByteTable {
        var words = ByteTable(minimumCapacity: definition.tokens.count)
        var bytes: [UInt8] = []
        for (id, token) in definition.tokens.enumerated() {
            guard definition.types[id] == .normal else { continue }
            bytes.removeAll(keepingCapacity: true)
            guard ByteAlphabet.append(token, to: &bytes) else { continue }
            bytes.withUnsafeBufferPointer { words.insert($0, Int32(id)) }
        }
        return words
    }

    /// Finds the tokens that merges name, or names the merge that has none.
    private static func pairs(
        _ merges: [Merge], _ vocabulary: ByteTable
    ) throws(ModelError) -> PairTable {
        var pairs = PairTable(minimumCapacity: merges.count)
        var bytes: [UInt8] = []
        for (rank, merge) in merges.enumerated() {
            bytes.removeAll(keepingCapacity: true)
            // A part that no bytes spell can never be met.
            guard ByteAlphabet.append(merge.left, to: &bytes) else { continue }
            let middle = bytes.count
            guard ByteAlphabet.append(merge.right, to: &bytes) else { continue }
            let found = bytes.withUnsafeBufferPointer { whole in
                (
                    vocabulary[UnsafeBufferPointer(rebasing: whole[..<middle])],
                    vocabulary[UnsafeBufferPointer(rebasing: whole[middle...])], vocabulary[whole]
                )
            }
            guard let left = found.0, let right = found.1, let merged = found.2 else {
                throw ModelError(
                    "merge \(rank) ('\(merge.left.escapedForDisplay)' with "
                        + "'\(merge.right.escapedForDisplay)') names a token that is not in the vocabulary"
                )
            }
            pairs.insert(left, right, .init(rank: Int32(clamping: rank), value: merged))
        }
        return pairs
    }

    func session() throws(ModelError) -> any TokenizationSession {
        try ByteLevelSession(self)
    }
}

extension TokenizerDefinition {
    /// Whether a byte-level BPE of either definition looks up the same: words, bytes and pairs.
    ///
    /// To the byte, for strings that are equal to Swift may be two tokens.
    func hasTables(of other: TokenizerDefinition) -> Bool {
        func areExact(_ first: String, _ second: String) -> Bool {
            ExactString(first) == ExactString(second)
        }
        return (model, other.model) == (.byteLevelBPE, .byteLevelBPE)
            && ignoresMerges == other.ignoresMerges && types == other.types
            && tokens.elementsEqual(other.tokens, by: areExact)
            && merges.elementsEqual(other.merges) {
                areExact($0.left, $1.left) && areExact($0.right, $1.right)
            }
    }
}
