import TensorIR

/// Turns one text after the other into tokens: the words by their cutter, each word by the merges.
final class ByteLevelSession: TokenizationSession {
    private let model: ByteLevelBPE
    private let cutter: TextCutter
    private var merger = BytePairMerger()
    private var cache = WordCache()
    private var ids: [Int32] = []

    init(_ model: ByteLevelBPE) throws(ModelError) {
        self.model = model
        cutter = try TextCutter(model.steps)
    }

    func encode(
        _ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]
    ) throws(ModelError) {
        swap(&ids, &self.ids)
        defer { swap(&ids, &self.ids) }
        try cutter.cut(text) { word, isSpelled in self.word(word, isSpelled: isSpelled) }
    }

    private func word(_ word: UnsafeBufferPointer<UInt8>, isSpelled: Bool) {
        guard !isSpelled else {
            let bytes = ByteAlphabet.bytes(of: String(decoding: word, as: UTF8.self)) ?? []
            return bytes.withUnsafeBufferPointer { self.word($0, isSpelled: false) }
        }
        if word.count == 1, model.byteTokens[Int(word[0])] >= 0 {
            ids.append(model.byteTokens[Int(word[0])])
            return
        }
        if cache.append(word, to: &ids) { return }
        let start = ids.count
        if let id = model.words?[word] {
            ids.append(id)
        } else {
            merger.merge(symbols(of: word), with: model.pairs)
            ids.append(contentsOf: merger.symbols)
        }
        cache.store(word, ids[start...])
    }

    /// The tokens of the single bytes. A byte that is none becomes the unknown token, or nothing.
    private func symbols(of word: UnsafeBufferPointer<UInt8>) -> [Int32] {
        var symbols: [Int32] = []
        symbols.reserveCapacity(word.count)
        var previousIsUnknown = false
        for byte in word {
            let token = model.byteTokens[Int(byte)]
            if token >= 0 {
                symbols.append(token)
                previousIsUnknown = false
            } else if let unknown = model.unknownToken {
                if !(previousIsUnknown && model.fusesUnknown) { symbols.append(unknown) }
                previousIsUnknown = true
            }
        }
        return symbols
    }
}

/// The tokens of words met before. Text repeats itself: nine words of ten are in here.
private struct WordCache {
    /// Longer words seldom come back.
    private static let longestWord = 64
    private static let maximumCount = 1 << 16

    private var places = ByteTable(minimumCapacity: 1 << 10)
    /// For each word the number of its tokens, then these.
    private var tokens: [Int32] = []

    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) -> Bool {
        guard word.count <= WordCache.longestWord, let place = places[word] else { return false }
        let start = Int(place) + 1
        let count = Int(tokens[Int(place)])
        for index in start..<start + count { ids.append(tokens[index]) }
        return true
    }

    mutating func store(_ word: UnsafeBufferPointer<UInt8>, _ ids: ArraySlice<Int32>) {
        guard word.count <= WordCache.longestWord else { return }
        // Starting over costs little and keeps the memory bounded.
        if places.count >= WordCache.maximumCount {
            places = ByteTable(minimumCapacity: WordCache.maximumCount)
            tokens.removeAll(keepingCapacity: true)
        }
        places.insert(word, Int32(tokens.count))
        tokens.append(Int32(ids.count))
        tokens.append(contentsOf: ids)
    }
}
