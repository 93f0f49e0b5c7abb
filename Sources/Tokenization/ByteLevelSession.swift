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
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, into ids: inout [Int32]
    ) throws(ModelError) {
        swap(&ids, &self.ids)
        defer { swap(&ids, &self.ids) }
        try cutter.cut(text, isAtStart: isAtStart) { word, isSpelled in
            self.word(word, isSpelled: isSpelled)
        }
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
