import Architectures
import Inference
import Kernels

/// A model, and the tokens that it has read so far.
final class ModelSession {
    let decoder: Decoder
    let cache: KVCache

    /// - Throws: what `Decoder` and `KVCache` throw for encodings that do not work.
    init(
        _ model: LanguageModel, capacity: Int, sequenceCount: Int = 1, encoding: CacheEncoding,
        workers: Workers
    ) throws {
        decoder = try Decoder(model, positionCount: capacity, workers: workers)
        cache = try KVCache(
            for: decoder, capacity: capacity, sequenceCount: sequenceCount, encoding: encoding)
    }

    /// Tokens that are read at once: enough for fast products, few enough for their activations.
    private static let tokensAtOnce = 512

    /// Reads tokens after those that the model has read.
    ///
    /// - Returns: logits after each of the last `count` tokens, (count, vocabularySize).
    /// - Precondition: `1 <= count <= ids.count`, and `count` fits into one piece.
    func read(_ ids: some RandomAccessCollection<Int32>, logitsOfLast count: Int = 1) throws
        -> Matrix
    {
        precondition((1...ids.count).contains(count) && count <= fewRows)
        var rest = Array(ids)[...]
        // The rows that are asked for must come out of the last piece.
        while rest.count - count > ModelSession.tokensAtOnce {
            _ = try states(rest.prefix(ModelSession.tokensAtOnce))
            rest = rest.dropFirst(ModelSession.tokensAtOnce)
        }
        let hidden = try states(rest)
        return try logits(hidden, Array(hidden.rows - count..<hidden.rows))
    }

    /// Reads one token in each of several sequences; logits after each, (sequence, vocabularySize).
    func step(_ ids: [Int32]) throws -> Matrix {
        let batch = TokenBatch(ids.map { [$0] }, startPosition: cache.position)
        let hidden = try decoder.hiddenStates(of: batch, cache: cache)
        return try logits(hidden, Array(0..<hidden.rows))
    }

    private func states(_ ids: some Collection<Int32>) throws -> Matrix {
        let batch = TokenBatch([Array(ids)], startPosition: cache.position)
        return try decoder.hiddenStates(of: batch, cache: cache)
    }

    private func logits(_ hidden: Matrix, _ rows: [Int]) throws -> Matrix {
        let logits = Matrix(rows: rows.count, columns: decoder.description.vocabularySize)
        try decoder.logits(of: hidden, rows: rows, into: logits.elements)
        return logits
    }
}
