import ByteIO
import TensorIR

/// A unigram language model over tokens: of all ways to write a text in tokens, the most probable.
struct Unigram: TokenizationModel {
    /// What an unknown character costs more than the least probable token.
    private static let unknownPenalty = 10.0

    let steps: [CuttingStep]
    let trie: ByteTrie
    let scores: [Double]
    let unknownScore: Double
    let fallback: UnknownText
    let fusesUnknown: Bool

    init(_ definition: TokenizerDefinition) throws(ModelError) {
        guard definition.scores.count == definition.tokens.count else {
            throw ModelError("a Unigram needs a score for each of its tokens")
        }
        var trie = ByteTrie()
        for (id, token) in definition.tokens.enumerated()
        where !definition.outsideModel.contains(Int32(id)) {
            let bytes = Array(token.utf8)
            if !bytes.isEmpty { trie.insert(bytes, Int32(id)) }
        }
        self.trie = trie
        scores = definition.scores
        let least = scores.indices.lazy
            .filter { !definition.outsideModel.contains(Int32($0)) }
            .map { definition.scores[$0] }.min()
        unknownScore = (least ?? 0) - Unigram.unknownPenalty
        fallback = UnknownText(definition, ByteTable(definition.tokens))
        fusesUnknown = definition.fusesUnknown
        steps = try CuttingStep.compiled(definition.preTokenizer)
    }

    func session() throws(ModelError) -> any TokenizationSession {
        try UnigramSession(self)
    }
}

/// Finds the best tokens of one text after the other (Viterbi 1967), for one thread.
final class UnigramSession: TokenizationSession {
    /// The best way to a place of the text: its score, its last token and where that starts.
    private struct Step {
        var score = 0.0
        var token: Int32 = 0
        var start: Int32 = -1
    }

    private let model: Unigram
    private let cutter: TextCutter
    private var cache = WordCache()
    private var best: [Step] = []
    private var ids: [Int32] = []

    init(_ model: Unigram) throws(ModelError) {
        self.model = model
        cutter = try TextCutter(model.steps)
    }

    func encode(
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, into tokens: inout TokenBuffer
    ) throws(ModelError) {
        swap(&tokens.ids, &ids)
        defer { swap(&tokens.ids, &ids) }
        try cutter.cut(text, isAtStart: isAtStart) { word, _ throws(ModelError) in
            guard !cache.append(word, to: &self.ids) else { return }
            let start = self.ids.count
            try search(word)
            cache.store(word, self.ids[start...])
        }
    }

    private func search(_ text: UnsafeBufferPointer<UInt8>) throws(ModelError) {
        best.removeAll(keepingCapacity: true)
        best.append(contentsOf: repeatElement(Step(), count: text.count + 1))
        var position = 0
        while position < text.count {
            let next = min(position + UTF8.width(ofSequence: text[position]), text.count)
            let score = best[position].score
            var isCharacterKnown = false
            var node = model.trie.root
            var end = position
            while end < text.count, let child = model.trie.next(node, text[end]) {
                node = child
                end += 1
                guard let token = model.trie.value(at: node) else { continue }
                improve(end, score + model.scores[Int(token)], token, from: position)
                if end == next { isCharacterKnown = true }
            }
            if !isCharacterKnown {
                guard let unknown = model.fallback.unknownToken else {
                    throw ModelError(
                        "the tokenizer has no token for some text and none for unknown text")
                }
                improve(next, score + model.unknownScore, unknown, from: position)
            }
            position = next
        }
        try appendPath(text)
    }

    private func improve(_ end: Int, _ score: Double, _ token: Int32, from start: Int) {
        guard best[end].start < 0 || score > best[end].score else { return }
        best[end] = Step(score: score, token: token, start: Int32(truncatingIfNeeded: start))
    }

    /// Goes the best way back from the end. Unknown characters in a row are one piece.
    private func appendPath(_ text: UnsafeBufferPointer<UInt8>) throws(ModelError) {
        var path: [(token: Int32, range: Range<Int>)] = []
        var end = text.count
        while end > 0 {
            let step = best[end]
            let start = Int(step.start)
            let isUnknown = step.token == model.fallback.unknownToken
            if isUnknown, let last = path.last, last.token == step.token {
                path[path.count - 1].range = start..<last.range.upperBound
            } else {
                path.append((step.token, start..<end))
            }
            end = start
        }
        for piece in path.reversed() {
            guard piece.token == model.fallback.unknownToken else {
                ids.append(piece.token)
                continue
            }
            let unknown = text[piece.range]
            // Several unknown characters may together be a token after all.
            if let token = model.trie.value(of: unknown) {
                ids.append(token)
            } else if let bytes = model.fallback.bytes(of: unknown) {
                ids += bytes
            } else {
                ids.append(piece.token)
            }
        }
    }
}
