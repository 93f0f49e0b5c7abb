import ByteIO
import TensorIR

/// What the models but the byte-level BPE are in GGUF, with the defaults of llama.cpp.
extension TokenizerDefinition {
    private static let space: Unicode.Scalar = "\u{2581}"
    private static let spaceText = "\u{2581}"

    /// SentencePiece's BPE: the scores say which neighbours merge first.
    mutating func readScoredBPE(_ metadata: Metadata) throws(ModelError) -> (Bool, Bool) {
        try readScores(metadata)
        let addsPrefix = metadata[TokenizerKey.addsSpacePrefix]?.bool ?? true
        setSentencePieceText(nil, removesExtraSpaces: false, addsPrefix: addsPrefix)
        setDefaults([.beginning: 1, .end: 2, .unknown: 0])
        unknownToken = specialTokens[.unknown]
        fusesUnknown = true
        return (true, false)
    }

    mutating func readUnigram(_ metadata: Metadata) throws(ModelError) -> (Bool, Bool) {
        try readScores(metadata)
        if let exact = metadata[TokenizerKey.exactScores]?.doubles, exact.count == tokens.count {
            scores = exact
        }
        let addsPrefix = metadata[TokenizerKey.addsSpacePrefix]?.bool ?? true
        var map: CharacterMap?
        if let value = metadata[TokenizerKey.characterMap] {
            guard let bytes = value.bytes else {
                throw ModelError("key '\(TokenizerKey.characterMap)' must be an array of bytes")
            }
            if !bytes.isEmpty { map = try CharacterMap(bytes, matching: .longestPrefix) }
        }
        setSentencePieceText(
            map, removesExtraSpaces: metadata[TokenizerKey.removesExtraSpaces]?.bool ?? false,
            addsPrefix: addsPrefix)
        hideTokensThatAreNoText()
        setDefaults([.end: 1, .unknown: 2, .padding: 0])
        unknownToken = specialTokens[.unknown]
        fusesUnknown = true
        return (false, true)
    }

    /// - Returns: that BOS and EOS stand nowhere; the classification token and the separator do.
    mutating func readWordPiece() -> (Bool, Bool) {
        normalizers = [.bert(BertNormalization())]
        preTokenizer = [.bert]
        decoder = [.wordPiece(prefix: continuationPrefix, cleansUp: true)]
        setDefaults([
            .unknown: 100, .separator: 102, .padding: 0, .classification: 101, .mask: 103,
        ])
        unknownToken = specialTokens[.unknown]
        let first = specialTokens[.beginning] ?? specialTokens[.classification]
        prefix = first.map { [$0] } ?? []
        suffix = specialTokens[.separator].map { [$0] } ?? []
        return (false, false)
    }

    /// What llama.cpp takes where the file names no token.
    private mutating func setDefaults(_ ids: [SpecialTokenRole: Int32]) {
        for (role, id) in ids where specialTokens[role] == nil && tokens.indices.contains(Int(id)) {
            specialTokens[role] = id
        }
    }

    private mutating func readScores(_ metadata: Metadata) throws(ModelError) {
        guard let scores = metadata[TokenizerKey.scores]?.doubles, scores.count == tokens.count,
            !scores.contains(where: \.isNaN)
        else {
            throw ModelError(
                "key '\(TokenizerKey.scores)' must be an array of \(tokens.count) numbers")
        }
        self.scores = scores
        usesByteFallback = types.contains(.byte)
    }

    // MARK: Writing

    /// GGUF marks the tokens that start a word, WordPiece those that do not; names in brackets stay.
    func wordPieceSpelling(_ token: String) -> String {
        if token.hasPrefix("["), token.hasSuffix("]") { return token }
        guard token.utf8.starts(with: continuationPrefix.utf8) else {
            return Self.spaceText + token
        }
        return String(decoding: token.utf8.dropFirst(continuationPrefix.utf8.count), as: UTF8.self)
    }

    /// The reverse of `wordPieceSpelling`.
    func wordPieceToken(_ spelling: String) -> String {
        if spelling.hasPrefix("["), spelling.hasSuffix("]") { return spelling }
        let isStart = spelling.unicodeScalars.first == Self.space
        return isStart
            ? String(String.UnicodeScalarView(spelling.unicodeScalars.dropFirst()))
            : continuationPrefix + spelling
    }

    /// The scores of the tokens; of a list of merges, the place of the first that makes the token.
    var exportedScores: [Double] {
        guard scores.isEmpty else { return scores }
        let vocabulary = ByteTable(tokens)
        var scores = [Double](repeating: -Double(merges.count + 1), count: tokens.count)
        for (rank, merge) in merges.enumerated().reversed() {
            guard let id = vocabulary[Array((merge.left + merge.right).utf8)] else { continue }
            scores[Int(id)] = -Double(rank)
        }
        return scores
    }

    /// Whether the scores do not lead to the same merges as the list.
    var needsMergesInGGUF: Bool {
        guard model == .characterBPE, !merges.isEmpty else { return false }
        var scored = self
        scored.scores = exportedScores.map { Double(Float($0)) }
        let list = MergeTable.merges(scoresOf: scored)
        return Set(list) != Set(merges) || order(list) != order(merges)
    }

    /// The tokens that merges make, most urgent first. In which order one token's own merges stand
    /// matters to no text.
    private func order(_ merges: [Merge]) -> [ExactString] {
        var order: [ExactString] = []
        for merge in merges {
            let result = ExactString(merge.left + merge.right)
            if result != order.last { order.append(result) }
        }
        return order
    }

    /// How spaces are spelled, and SentencePiece's table of replacements.
    func addSpaceOptions(to metadata: inout Metadata) {
        switch model {
        case .byteLevelBPE: return
        case .wordPiece: metadata[TokenizerKey.tokenTypeCount] = .uint32(2)
        case .characterBPE:
            // Without the key there is a prefix.
            if !addsSpacePrefix { metadata[TokenizerKey.addsSpacePrefix] = .bool(false) }
        case .unigram:
            if scores.contains(where: { Double(Float($0)) != $0 }) {
                metadata[TokenizerKey.exactScores] = .array(.float64(scores))
            }
            metadata[TokenizerKey.addsSpacePrefix] = .bool(addsSpacePrefix)
            let removesExtraSpaces = normalizers.contains {
                if case .replace(.expression(" {2,}"), _) = $0 { true } else { false }
            }
            metadata[TokenizerKey.removesExtraSpaces] = .bool(removesExtraSpaces)
            if let map = characterMap {
                metadata[TokenizerKey.characterMap] = .array(.uint8(map.bytes))
            }
        }
    }

    /// The table of replacements, where there is one.
    var characterMap: CharacterMap? {
        for case .precompiled(let map) in normalizers { return map }
        return nil
    }

    /// Whether a text starts as if a space stood before it.
    private var addsSpacePrefix: Bool {
        normalizers.contains(.prepend(Self.spaceText))
            || preTokenizer.contains {
                if case .metaspace(let options) = $0 {
                    options.prependScheme != .never
                } else {
                    false
                }
            }
    }
}

extension MetadataValue {
    /// The values of an array of bytes, signed or not.
    fileprivate var bytes: [UInt8]? {
        switch self {
        case .array(.uint8(let values)): values
        case .array(.int8(let values)): values.map { UInt8(bitPattern: $0) }
        default: nil
        }
    }
}
