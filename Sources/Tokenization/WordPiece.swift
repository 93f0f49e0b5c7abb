import ByteIO
import TensorIR

/// Cuts words into the longest tokens, from left to right.
struct WordPiece: TokenizationModel {
    let steps: [CuttingStep]
    let vocabulary: ByteTable
    let continuationPrefix: [UInt8]
    let maximumWordLength: Int
    /// Bytes of the longest token: nothing longer needs to be looked for.
    let longestToken: Int
    let unknownToken: Int32

    init(_ definition: TokenizerDefinition) throws(ModelError) {
        var vocabulary = ByteTable(minimumCapacity: definition.tokens.count)
        for (id, token) in definition.tokens.enumerated()
        where !definition.outsideModel.contains(Int32(id)) {
            vocabulary.insert(Array(token.utf8), Int32(id))
        }
        guard let unknownToken = definition.unknownToken else {
            throw ModelError("a WordPiece needs a token for unknown words")
        }
        self.vocabulary = vocabulary
        self.unknownToken = unknownToken
        continuationPrefix = Array(definition.continuationPrefix.utf8)
        maximumWordLength = definition.maximumWordLength
        longestToken = definition.tokens.map(\.utf8.count).max() ?? 0
        steps = try CuttingStep.compiled(definition.preTokenizer)
    }

    func session() throws(ModelError) -> any TokenizationSession {
        try WordPieceSession(self)
    }
}

/// Turns texts into tokens, for one thread.
final class WordPieceSession: TokenizationSession {
    private let model: WordPiece
    private let cutter: TextCutter
    private var cache = WordCache()
    private var ids: [Int32] = []

    init(_ model: WordPiece) throws(ModelError) {
        self.model = model
        cutter = try TextCutter(model.steps)
    }

    func encode(
        _ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, into tokens: inout TokenBuffer
    ) throws(ModelError) {
        swap(&tokens.ids, &ids)
        defer { swap(&tokens.ids, &ids) }
        try cutter.cut(text, isAtStart: isAtStart) { word, _ in
            guard !cache.append(word, to: &self.ids) else { return }
            let start = self.ids.count
            if !appendPieces(of: word) {
                self.ids.removeSubrange(start...)
                self.ids.append(model.unknownToken)
            }
            cache.store(word, self.ids[start...])
        }
    }

    /// Whether the whole word is made of tokens.
    private func appendPieces(of word: UnsafeBufferPointer<UInt8>) -> Bool {
        let length = word.count { $0 & 0xC0 != 0x80 }
        guard length <= model.maximumWordLength else { return false }
        var start = 0
        while start < word.count {
            let prefix = start > 0 ? model.continuationPrefix : []
            guard let found = longestToken(of: word, from: start, prefix) else { return false }
            ids.append(found.token)
            start = found.end
        }
        return true
    }

    private func longestToken(
        of word: UnsafeBufferPointer<UInt8>, from start: Int, _ prefix: [UInt8]
    ) -> (token: Int32, end: Int)? {
        var candidate = prefix + word[start..<min(word.count, start + model.longestToken)]
        while candidate.count > prefix.count {
            if let token = model.vocabulary[candidate] {
                return (token, start + candidate.count - prefix.count)
            }
            candidate.removeLast()
        }
        return nil
    }
}
