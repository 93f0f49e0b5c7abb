import ByteIO
import TensorIR

/// Byte pair encoding over characters: characters that are no tokens fall back to bytes.
struct CharacterBPE: TokenizationModel {
    let steps: [CuttingStep]
    let pairs: PairTable
    /// What each character starts as: the token of that name, or a symbol beyond the vocabulary that
    /// merges can make a token of.
    let symbols: ByteTable
    /// Symbols from here on are characters that are no tokens.
    let tokenCount: Int
    /// Those characters.
    let pieces: [[UInt8]]
    let fallback: UnknownText
    let fusesUnknown: Bool
    /// Whole words, where the merges may be ignored.
    let words: ByteTable?
    /// Whether no token crosses the place before a `▁` that follows something else.
    let cutsAtSpaces: Bool

    init(_ definition: TokenizerDefinition) throws(ModelError) {
        let vocabulary = ByteTable(definition.tokens)
        let merging: MergeTable
        if definition.merges.isEmpty, !definition.scores.isEmpty {
            merging = MergeTable(scoresOf: definition, vocabulary)
        } else {
            merging = try MergeTable(definition.merges, vocabulary)
        }
        (pairs, symbols, pieces) = (merging.pairs, merging.symbols, merging.pieces)
        tokenCount = definition.tokens.count
        fallback = UnknownText(definition, vocabulary)
        fusesUnknown = definition.fusesUnknown
        words = definition.ignoresMerges ? vocabulary : nil
        steps = try CuttingStep.compiled(definition.preTokenizer)
        cutsAtSpaces =
            words == nil && vocabulary[Array("▁".utf8)] != nil
            && merging.results.allSatisfy { !CharacterBPE.crossesSpace(definition.tokens[Int($0)]) }
    }

    /// Whether a `▁` follows something else.
    private static func crossesSpace(_ token: String) -> Bool {
        var isAfterOther = false
        for scalar in token.unicodeScalars {
            if scalar == "▁", isAfterOther { return true }
            isAfterOther = scalar != "▁"
        }
        return false
    }

    func session() throws(ModelError) -> any TokenizationSession {
        try CharacterSession(self)
    }
}

/// What becomes of text that is no token.
struct UnknownText: Sendable {
    /// The token of each byte; -1 where there is none, and everywhere without byte fallback.
    let byteTokens: [Int32]
    let unknownToken: Int32?

    init(_ definition: TokenizerDefinition, _ vocabulary: ByteTable) {
        byteTokens = (0...UInt8.max).map { byte in
            guard definition.usesByteFallback else { return -1 }
            return vocabulary[Array(ByteToken.spelling(of: byte).utf8)] ?? -1
        }
        unknownToken = definition.unknownToken
    }

    /// The tokens of the bytes, or nil where one has none.
    func bytes(of text: some Sequence<UInt8>) -> [Int32]? {
        let tokens = text.map { byteTokens[Int($0)] }
        return tokens.contains(-1) ? nil : tokens
    }
}

/// Which symbols merge to which, from a list or from scores.
struct MergeTable {
    var pairs: PairTable
    /// Symbols by their text.
    private(set) var symbols: ByteTable
    /// The texts of symbols that are no tokens, in order from the first id behind the vocabulary.
    private(set) var pieces: [[UInt8]] = []
    /// Tokens that merges make.
    private(set) var results: [Int32] = []

    /// - Throws: `ModelError` for a merge of tokens that are not in the vocabulary.
    init(_ merges: [Merge], _ vocabulary: ByteTable) throws(ModelError) {
        symbols = vocabulary
        pairs = PairTable(minimumCapacity: merges.count)
        for (rank, merge) in merges.enumerated() {
            guard let left = vocabulary[Array(merge.left.utf8)],
                let right = vocabulary[Array(merge.right.utf8)],
                let merged = vocabulary[Array(merge.left.utf8) + Array(merge.right.utf8)]
            else {
                throw ModelError(
                    "merge \(rank) ('\(merge.left.escapedForDisplay)' with "
                        + "'\(merge.right.escapedForDisplay)') names a token that is not in the "
                        + "vocabulary")
            }
            pairs.insert(left, right, .init(rank: Int32(clamping: rank), value: merged))
            results.append(merged)
        }
    }

    /// Any two neighbours whose texts make a token merge, those of the highest score first; that is how
    /// SentencePiece and llama.cpp do it.
    init(scoresOf definition: TokenizerDefinition, _ vocabulary: ByteTable) {
        let tokens = definition.tokens
        symbols = vocabulary
        pairs = PairTable(minimumCapacity: tokens.count * 2)
        let ranks = MergeTable.ranks(definition.scores)
        for (id, token) in tokens.enumerated() {
            // Text never becomes a token that is none.
            switch definition.types[id] {
            case .control, .unknown, .byte: continue
            case .normal, .userDefined, .unused: break
            }
            let bytes = Array(token.utf8)
            // Of two tokens of one text the later is in the vocabulary, as in its table.
            guard bytes.count > 1, vocabulary[bytes] == Int32(id) else { continue }
            var isResult = false
            for middle in 1..<bytes.count where bytes[middle] & 0xC0 != 0x80 {
                guard let left = symbol(bytes[..<middle], tokens.count),
                    let right = symbol(bytes[middle...], tokens.count)
                else { continue }
                pairs.insert(left, right, .init(rank: ranks[id], value: Int32(id)))
                isResult = true
            }
            if isResult { results.append(Int32(id)) }
        }
    }

    /// The merges that stand for scores: the library knows lists only.
    ///
    /// Of one token's merges those of lower ids come first, as in the library's own conversion.
    static func merges(scoresOf definition: TokenizerDefinition) -> [Merge] {
        let vocabulary = ByteTable(definition.tokens)
        let table = MergeTable(scoresOf: definition, vocabulary)
        var merges: [(rank: Int32, left: Int32, right: Int32)] = []
        for token in table.results {
            let bytes = Array(definition.tokens[Int(token)].utf8)
            for middle in 1..<bytes.count {
                // Characters that are no tokens cannot be written.
                guard let left = vocabulary[Array(bytes[..<middle])],
                    let right = vocabulary[Array(bytes[middle...])],
                    let entry = table.pairs[left, right]
                else { continue }
                merges.append((entry.rank, left, right))
            }
        }
        merges.sort { $0 < $1 }
        return merges.map { merge in
            Merge(definition.tokens[Int(merge.left)], definition.tokens[Int(merge.right)])
        }
    }

    /// The place of each score among all, the highest first; equal scores have one place.
    private static func ranks(_ scores: [Double]) -> [Int32] {
        // A score that is no number is the least urgent.
        let usable = scores.map { $0.isNaN ? -.infinity : $0 }
        var ranks = [Int32](repeating: 0, count: scores.count)
        var rank: Int32 = 0
        var previous: Double?
        for id in usable.indices.sorted(by: { usable[$0] > usable[$1] }) {
            if let previous, previous != usable[id] { rank += 1 }
            previous = usable[id]
            ranks[id] = rank
        }
        return ranks
    }

    /// The symbol of a text: a token, or a single character.
    private mutating func symbol(_ text: ArraySlice<UInt8>, _ tokenCount: Int) -> Int32? {
        let text = Array(text)
        if let known = symbols[text] { return known }
        guard text.count == UTF8.width(ofSequence: text[0]) else { return nil }
        let symbol = Int32(clamping: tokenCount + pieces.count)
        pieces.append(text)
        symbols.insert(text, symbol)
        return symbol
    }
}
