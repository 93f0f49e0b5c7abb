import TensorIR

/// Turns texts into tokens by a BPE over characters, for one thread.
final class CharacterSession: TokenizationSession {
    private static let space = Array("▁".utf8)

    private let model: CharacterBPE
    private let cutter: TextCutter
    private var merger = BytePairMerger()
    private var cache = WordCache()
    private var ids: [Int32] = []

    init(_ model: CharacterBPE) throws(ModelError) {
        self.model = model
        cutter = try TextCutter(model.steps)
    }

    func encode(
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, into tokens: inout TokenBuffer
    ) throws(ModelError) {
        swap(&tokens.ids, &ids)
        defer { swap(&tokens.ids, &ids) }
        try cutter.cut(text, isAtStart: isAtStart) { word, _ in
            if model.cutsAtSpaces { cutAtSpaces(word) } else { self.word(word) }
        }
    }

    /// Cuts where no merge can reach across, which changes no token, so that the cache knows words.
    private func cutAtSpaces(_ text: UnsafeBufferPointer<UInt8>) {
        var start = 0
        var position = 0
        var isAfterOther = false
        while position < text.count {
            guard text[position...].starts(with: CharacterSession.space) else {
                position += 1
                isAfterOther = true
                continue
            }
            if isAfterOther {
                word(UnsafeBufferPointer(rebasing: text[start..<position]))
                start = position
                isAfterOther = false
            }
            position += CharacterSession.space.count
        }
        word(UnsafeBufferPointer(rebasing: text[start...]))
    }

    private func word(_ word: UnsafeBufferPointer<UInt8>) {
        guard !word.isEmpty, !cache.append(word, to: &ids) else { return }
        let start = ids.count
        if let id = model.words?[word] {
            ids.append(id)
        } else {
            merger.merge(symbols(of: word), with: model.pairs)
            for symbol in merger.symbols { append(symbol) }
        }
        cache.store(word, ids[start...])
    }

    /// A character that is no token and was not merged either becomes bytes, or unknown.
    private func append(_ symbol: Int32) {
        guard Int(symbol) >= model.tokenCount else { return ids.append(symbol) }
        if let bytes = model.fallback.bytes(of: model.pieces[Int(symbol) - model.tokenCount]) {
            ids += bytes
        } else if let unknown = model.fallback.unknownToken {
            ids.append(unknown)
        }
    }

    private func symbols(of word: UnsafeBufferPointer<UInt8>) -> [Int32] {
        var symbols: [Int32] = []
        symbols.reserveCapacity(word.count)
        // As the library has it: an unknown character waits for the next known one, and bytes of
        // characters in between overtake it.
        var pending: Int32?
        var position = 0
        while position < word.count {
            let end = min(position + UTF8.width(ofSequence: word[position]), word.count)
            let character = UnsafeBufferPointer(rebasing: word[position..<end])
            position = end
            if let symbol = model.symbols[character] {
                if let unknown = pending { symbols.append(unknown) }
                pending = nil
                symbols.append(symbol)
            } else if let bytes = model.fallback.bytes(of: character) {
                symbols += bytes
            } else if let unknown = model.fallback.unknownToken {
                if pending != nil, !model.fusesUnknown { symbols.append(unknown) }
                pending = unknown
            }
        }
        if let unknown = pending { symbols.append(unknown) }
        return symbols
    }
}
