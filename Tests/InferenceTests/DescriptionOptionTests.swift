import Architectures
import Inference
import Kernels
import TestSupport
import Testing

/// What single precision leaves of a decoder this small, relative to the logits' largest.
private let singlePrecision = 1e-5

private let positionCount = 24

/// Longer than the products that are computed row by row, so that both ways are taken.
private let sequences = [5, 29].map { start in
    (0..<fewRows + 3).map { (index: Int) -> Int32 in
        Int32((start + index * 17 + index * index) % 50)
    }
}

extension DescriptionOption {
    fileprivate func decoder(threadCount: Int = 2) throws -> Decoder {
        try Decoder(
            DecoderWeights(description, tensors: description.randomTensors(seed: 5)),
            positionCount: positionCount, workers: Workers(threadCount: threadCount))
    }

    fileprivate func definition() throws -> PlainDecoder {
        PlainDecoder(
            description, try description.randomTensors(seed: 5), positionCount: positionCount)
    }
}

extension Decoder {
    fileprivate func logits(_ batch: TokenBatch, cache: KVCache? = nil) throws -> [[Float]] {
        let hidden = try hiddenStates(of: batch, cache: cache)
        let logits = Matrix(rows: hidden.rows, columns: description.vocabularySize)
        try self.logits(of: hidden, rows: Array(0..<hidden.rows), into: logits.elements)
        return (0..<hidden.rows).map { Array(logits.row($0)) }
    }
}

private func expectClose(_ computed: [[Float]], _ expected: [[Double]]) {
    #expect(computed.count == expected.count)
    let largest = expected.joined().map(abs).max() ?? 0
    let worst = zip(computed.joined(), expected.joined()).map { abs(Double($0) - $1) }.max()
    #expect((worst ?? .infinity) <= singlePrecision * largest)
}

@Test(arguments: DescriptionOption.all)
func everyOptionFollowsItsDefinition(option: DescriptionOption) throws {
    let computed = try option.decoder().logits(TokenBatch(sequences))
    let definition = try option.definition()
    expectClose(computed, sequences.flatMap(definition.logits))
}

@Test(arguments: DescriptionOption.all)
func everyOptionGivesTheSameInSteps(option: DescriptionOption) throws {
    let decoder = try option.decoder()
    let whole = try decoder.logits(TokenBatch(sequences))
    let length = sequences[0].count
    let cache = try KVCache(for: decoder, capacity: positionCount, sequenceCount: 2)
    for step in [10, 1, 1, 7] {
        let positions = cache.position..<cache.position + step
        let batch = TokenBatch(
            sequences.map { Array($0[positions]) }, startPosition: positions.lowerBound)
        let expected = (0..<2).flatMap { sequence in
            positions.map { whole[sequence * length + $0].map(Double.init) }
        }
        expectClose(try decoder.logits(batch, cache: cache), expected)
    }
    #expect(cache.position == length)
}

@Test(arguments: DescriptionOption.all)
func everyOptionGivesATokenTheSameBitsInAnyCompany(option: DescriptionOption) throws {
    let decoder = try option.decoder()
    let runs = try [Array(repeating: 1, count: 19), [7, 1, 8, 3]].map { steps in
        let cache = try KVCache(for: decoder, capacity: positionCount)
        return try steps.flatMap { step in
            let ids = Array(sequences[0][cache.position..<cache.position + step])
            return try decoder.logits(
                TokenBatch([ids], startPosition: cache.position), cache: cache)
        }
    }
    #expect(runs[0] == runs[1])
}

@Test(arguments: DescriptionOption.all)
func noOptionDependsOnTheThreadCount(option: DescriptionOption) throws {
    let batch = TokenBatch(sequences)
    let alone = try option.decoder(threadCount: 1).logits(batch)
    #expect(try option.decoder(threadCount: 3).logits(batch) == alone)
}

/// Of two parts, the first sequence is asked of the first half of the heads, and the second of the second.
@Test(arguments: DescriptionOption.all, [1, 2])
func attentionMassFollowsItsDefinition(option: DescriptionOption, partCount: Int) throws {
    let (length, width, layer) = (sequences[0].count, option.description.hiddenSize, 1)
    var generator = SeededGenerator(seed: 9)
    let input = Matrix(rows: 2 * length, columns: width, generator.normals(2 * length * width))
    let mass = try option.decoder().attentionMass(
        layer: layer, input: input.elements, batch: TokenBatch(sequences), partCount: partCount)
    for sequence in 0..<2 {
        let rows = sequence * length..<(sequence + 1) * length
        let probabilities = try option.definition().probabilities(
            layer, rows.map { input.row($0).map(Double.init) })
        let half = option.description.headCount / 2
        let heads =
            partCount == 1
            ? probabilities[...] : sequence == 0 ? probabilities[..<half] : probabilities[half...]
        for position in 0..<length {
            let received = heads.joined().reduce(0) { $0 + $1[position] }
            let expected = received / Double(heads.count)
            let computed = Double(mass[rows.lowerBound + position])
            #expect(abs(computed - expected) <= singlePrecision * Double(length))
        }
    }
}

@Test func aPositionThatWasNotLearnedIsNamed() throws {
    let option = try #require(
        DescriptionOption.all.first { $0.testDescription == "learned positions" })
    let decoder = try Decoder(
        DecoderWeights(option.description, tensors: option.description.randomTensors(seed: 5)),
        positionCount: 100, workers: Workers())
    #expect { try decoder.hiddenStates(of: TokenBatch([[1, 2]], startPosition: 63)) } throws: {
        "\($0)".contains("position 64 is beyond the 64")
    }
}
