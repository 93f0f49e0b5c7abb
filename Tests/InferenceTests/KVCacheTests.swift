import Architectures
import Conversion
import Inference
import Kernels
import TestSupport
import Testing

private func decoder(threadCount: Int = 2) throws -> Decoder {
    try Decoder(
        LanguageModel(ModelFile.open("\(Repository.root)/Calibration/detent-tiny")),
        positionCount: 64, workers: Workers(threadCount: threadCount))
}

private let someIds: [Int32] = (0..<40).map { ($0 * 37 + 5) % 2048 }

/// Runs tokens in steps of the given lengths; logits of every position.
private func logits(
    _ decoder: Decoder, _ ids: [Int32], steps: [Int], cache: KVCache
) throws -> [[Float]] {
    var rows: [[Float]] = []
    var taken = 0
    for step in steps {
        let batch = TokenBatch([Array(ids[taken..<taken + step])], startPosition: cache.position)
        rows += try decoder.logits(of: batch, cache: cache)
        taken += step
    }
    return rows
}

extension Decoder {
    fileprivate func logits(of batch: TokenBatch, cache: KVCache) throws -> [[Float]] {
        let hidden = try hiddenStates(of: batch, cache: cache)
        let logits = Matrix(rows: hidden.rows, columns: description.vocabularySize)
        try self.logits(of: hidden, rows: Array(0..<hidden.rows), into: logits.elements)
        return (0..<hidden.rows).map { Array(logits.row($0)) }
    }
}

/// Largest difference of two rows of logits over the spread of the second.
private func distance(_ a: [Float], _ b: [Float]) -> Float {
    let spread = (b.max() ?? 0) - (b.min() ?? 0)
    return (zip(a, b).map { abs($0 - $1) }.max() ?? .infinity) / spread
}

@Test(arguments: CacheEncoding.allCases)
func aTokensLogitsHaveTheSameBitsInAnyCompany(encoding: CacheEncoding) throws {
    let decoder = try decoder()
    let ids = Array(someIds[..<30])
    let oneByOne = try KVCache(for: decoder, capacity: 40, encoding: encoding)
    let expected = try logits(
        decoder, ids, steps: Array(repeating: 1, count: 30), cache: oneByOne)
    let inSteps = try KVCache(for: decoder, capacity: 40, encoding: encoding)
    let other = try Decoder(decoder.weights, positionCount: 64, workers: Workers(threadCount: 1))
    #expect(try logits(other, ids, steps: [7, 16, 1, 6], cache: inSteps) == expected)
}

/// Half precision keeps 11 bits of each key and value, Q8_0 about 7.
@Test(arguments: [(CacheEncoding.f16, Float(2e-3)), (.q8_0, 5e-2)])
func encodedCachesStayCloseToFloats(encoding: CacheEncoding, bound: Float) throws {
    let decoder = try decoder()
    let exact = try logits(
        decoder, someIds, steps: [20, 20], cache: KVCache(for: decoder, capacity: 40))
    let cache = try KVCache(for: decoder, capacity: 40, encoding: encoding)
    let rounded = try logits(decoder, someIds, steps: [20, 20], cache: cache)
    #expect(rounded != exact)
    for (a, b) in zip(rounded, exact) { #expect(distance(a, b) < bound) }
    let floats = try KVCache(for: decoder, capacity: 40)
    #expect(cache.byteCount * (encoding == .f16 ? 2 : 3) <= floats.byteCount)
}

@Test(arguments: CacheEncoding.allCases)
func truncatingForgetsWhatCameLater(encoding: CacheEncoding) throws {
    let decoder = try decoder()
    let cache = try KVCache(for: decoder, capacity: 40, encoding: encoding)
    let expected = try logits(decoder, someIds, steps: [5, 5, 5], cache: cache)
    cache.truncate(to: 5)
    _ = try logits(decoder, [9, 8, 7], steps: [3], cache: cache)
    cache.truncate(to: 5)
    let again = try logits(decoder, Array(someIds[5..<15]), steps: [5, 5], cache: cache)
    #expect(again == Array(expected[5...]))
}

@Test(arguments: CacheEncoding.allCases)
func reorderedSequencesGoOnFromTheirSources(encoding: CacheEncoding) throws {
    let decoder = try decoder()
    let cache = try KVCache(for: decoder, capacity: 16, sequenceCount: 4, encoding: encoding)
    _ = try logits(decoder, [1, 2, 3], steps: [3], cache: cache)
    // Each step: where every sequence goes on from, and the token that it takes.
    var histories: [[Int32]] = [[1, 2, 3], [], [], []]
    let steps: [([Int], [Int32])] = [
        ([0, 0, 0, 0], [10, 11, 12, 13]), ([3, 1, 1, 0], [20, 21, 22, 23]),
        ([2, 2, 2, 0], [30, 31, 32, 33]), ([3, 0, 1, 2], [40, 41, 42, 43]),
    ]
    var last: [[Float]] = []
    for (sources, tokens) in steps {
        cache.reorder(sources, decoder.workers)
        histories = zip(sources, tokens).map { histories[$0] + [$1] }
        last = try decoder.logits(
            of: TokenBatch(tokens.map { [$0] }, startPosition: cache.position), cache: cache)
    }
    for (history, row) in zip(histories, last) {
        let alone = try KVCache(for: decoder, capacity: 16, encoding: encoding)
        #expect(try logits(decoder, history, steps: [3, 1, 1, 1, 1], cache: alone).last == row)
    }
}
