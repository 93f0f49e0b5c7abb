import TensorIR

/// Cuts one text after the other into words and the words into tokens.
///
/// A text goes through the steps depth first, each piece on its own: nothing is held but the piece
/// that is being cut.
final class ByteLevelSession: TokenizationSession {
    private let model: ByteLevelBPE
    private let matchers: [RegularExpression.Matcher?]
    private var merger = BytePairMerger()
    private var cache: WordCache
    private var ids: [Int32] = []

    init(_ model: ByteLevelBPE) throws(ModelError) {
        self.model = model
        var matchers: [RegularExpression.Matcher?] = []
        for step in model.steps {
            guard case .split(let expression, _, _) = step else {
                matchers.append(nil)
                continue
            }
            guard let matcher = RegularExpression.Matcher(expression) else {
                throw ModelError("no memory to match the pre-tokenizer's expressions")
            }
            matchers.append(matcher)
        }
        self.matchers = matchers
        cache = WordCache()
    }

    func encode(
        _ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]
    ) throws(ModelError) {
        swap(&ids, &self.ids)
        defer { swap(&ids, &self.ids) }
        try cut(text, from: 0, isSpelled: false)
    }

    private func cut(
        _ text: UnsafeBufferPointer<UInt8>, from step: Int, isSpelled: Bool
    ) throws(ModelError) {
        guard !text.isEmpty else { return }
        guard step < model.steps.count else { return word(text, isSpelled: isSpelled) }
        switch model.steps[step] {
        case .split(_, let behavior, let isInverted):
            guard let matcher = matchers[step] else { return }
            var spans = Spans(text, matcher)
            try split(text, &spans, behavior, isInverted, from: step + 1, isSpelled: isSpelled)
        case .prefixSpace:
            guard text[0] != UInt8(ascii: " ") else {
                return try cut(text, from: step + 1, isSpelled: isSpelled)
            }
            try cut(copy: [UInt8(ascii: " ")] + text, from: step + 1, isSpelled: isSpelled)
        case .spell:
            var spelling: [UInt8] = []
            spelling.reserveCapacity(text.count * 2)
            for byte in text { ByteAlphabet.appendSpelling(of: byte, to: &spelling) }
            try cut(copy: spelling, from: step + 1, isSpelled: true)
        }
    }

    private func cut(copy: [UInt8], from step: Int, isSpelled: Bool) throws(ModelError) {
        let result = copy.withUnsafeBufferPointer { text in
            Result { () throws(ModelError) in try cut(text, from: step, isSpelled: isSpelled) }
        }
        try result.get()
    }

    private func split(
        _ text: UnsafeBufferPointer<UInt8>, _ spans: inout Spans, _ behavior: SplitBehavior,
        _ isInverted: Bool, from step: Int, isSpelled: Bool
    ) throws(ModelError) {
        func pass(_ range: Range<Int>) throws(ModelError) {
            try cut(UnsafeBufferPointer(rebasing: text[range]), from: step, isSpelled: isSpelled)
        }
        // What may still grow, and whether it is a match.
        var pending: (range: Range<Int>, isMatch: Bool)?
        var previousIsMatch = false
        while let span = try spans.next() {
            let isMatch = span.isMatch != isInverted
            defer { previousIsMatch = isMatch }
            var joins = false
            switch behavior {
            case .isolated:
                try pass(span.range)
                continue
            case .removed:
                if !isMatch { try pass(span.range) }
                continue
            case .contiguous: joins = pending?.isMatch == isMatch
            case .mergedWithPrevious: joins = isMatch && !previousIsMatch
            case .mergedWithNext: joins = !isMatch && pending?.isMatch == true
            }
            if joins, let grown = pending {
                pending = (grown.range.lowerBound..<span.range.upperBound, isMatch)
            } else {
                if let done = pending { try pass(done.range) }
                pending = (span.range, isMatch)
            }
        }
        if let done = pending { try pass(done.range) }
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
