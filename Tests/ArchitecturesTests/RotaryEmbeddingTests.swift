import Architectures
import Testing

@Test(arguments: [2, 8, 64, 128]) func theTwoRowOrdersUndoEachOther(headSize: Int) {
    for row in 0..<3 * headSize {
        let there = RotaryEmbedding.sourceRow(of: row, headSize: headSize, to: .adjacent)
        #expect(RotaryEmbedding.sourceRow(of: there, headSize: headSize, to: .halves) == row)
        #expect(there / headSize == row / headSize)
    }
}

@Test func adjacentRowsComeFromTheTwoHalves() {
    // Heads of six rows: the pairs are (0, 3), (1, 4), (2, 5).
    let rows = (0..<6).map { RotaryEmbedding.sourceRow(of: $0, headSize: 6, to: .adjacent) }
    #expect(rows == [0, 3, 1, 4, 2, 5])
}

@Test func linearScalingDividesEveryFrequency() {
    var rotary = RotaryEmbedding(dimensionCount: 8, base: 10_000, pairing: .halves)
    let plain = rotary.frequencies
    rotary.scaling = .linear(factor: 4)
    #expect(rotary.frequencies == plain.map { $0 / 4 })
}

@Test func llama3ScalingKeepsHighFrequenciesAndDividesLowOnes() throws {
    let rotary = RotaryEmbedding(
        dimensionCount: 128, base: 500_000, pairing: .halves,
        scaling: .llama3(factor: 8, lowFrequency: 1, highFrequency: 4, originalContext: 8192))
    let divisors = rotary.divisors
    #expect(divisors.first == 1)
    #expect(divisors.last == 8)
    #expect(zip(divisors, divisors.dropFirst()).allSatisfy { $0 <= $1 })
}

@Test(arguments: [64, 1024, 8192]) func llama3ScalingIsRecognizedByItsFactors(context: Int) {
    let scaling = RotaryEmbedding.Scaling.llama3(
        factor: 32, lowFrequency: 1, highFrequency: 4, originalContext: context)
    let rotary = RotaryEmbedding(
        dimensionCount: 64, base: 500_000, pairing: .adjacent, scaling: scaling)
    #expect(
        RotaryEmbedding.llama3Scaling(
            matching: rotary.divisors, dimensionCount: 64, base: 500_000) == scaling)
    #expect(
        RotaryEmbedding.llama3Scaling(
            matching: [1, 3, 2, 9], dimensionCount: 8, base: 10_000) == nil)
}
