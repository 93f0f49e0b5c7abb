import TensorIR

/// Turns one text after the other into tokens: the words by their cutter, each word by the merges.
final class ByteLevelSession: TokenizationSession {
    private let model: ByteLevelBPE
    private let cutter: TextCutter
    private var words = WordEncoder()

    init(_ model: ByteLevelBPE) throws(ModelError) {
        self.model = model
        cutter = try TextCutter(model.steps)
    }

    func encode(
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, into ids: inout TokenBuffer
    ) throws(ModelError) {
        // What a closure changes in an object is checked at every word; a variable is not.
        var words = WordEncoder()
        swap(&words, &self.words)
        defer { swap(&words, &self.words) }
        let model = model
        try cutter.cut(text, isAtStart: isAtStart) { word, isSpelled in
            if isSpelled {
                let bytes = ByteAlphabet.bytes(of: word) ?? []
                bytes.withUnsafeBufferPointer { words.encode($0, model, into: &ids.ids) }
            } else {
                words.encode(word, model, into: &ids.ids)
            }
            ids.drainIfFull()
        }
    }
}

/// Turns words into tokens and remembers them.
private struct WordEncoder {
    private var merger = BytePairMerger()
    private var cache = WordCache()
    /// The tokens of a word's single bytes.
    private var symbols: [Int32] = []

    mutating func encode(
        _ word: UnsafeBufferPointer<UInt8>, _ model: borrowing ByteLevelBPE, into ids: inout [Int32]
    ) {
        if word.count == 1, model.byteTokens[Int(word[0])] >= 0 {
            ids.append(model.byteTokens[Int(word[0])])
            return
        }
        guard !word.isEmpty, !cache.append(word, to: &ids) else { return }
        let start = ids.count
        if let id = model.words?[word] {
            ids.append(id)
        } else {
            setSymbols(of: word, model)
            merger.merge(symbols, with: model.pairs)
            ids.append(contentsOf: merger.symbols)
        }
        cache.store(word, ids[start...])
    }

    /// A byte that is no token becomes the unknown one, or nothing.
    private mutating func setSymbols(
        of word: UnsafeBufferPointer<UInt8>, _ model: borrowing ByteLevelBPE
    ) {
        symbols.removeAll(keepingCapacity: true)
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
    }
}
