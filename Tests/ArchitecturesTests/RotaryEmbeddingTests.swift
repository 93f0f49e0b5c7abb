import Architectures
import Testing

private func rotary(
    _ dimensionCount: Int, base: Double = 10_000, _ scaling: RotaryEmbedding.Scaling = .none
) -> RotaryEmbedding {
    RotaryEmbedding(
        dimensionCount: dimensionCount, base: base, pairing: .halves, scaling: scaling)
}

@Test(arguments: [2, 8, 64, 128], [1, 2]) func theTwoRowOrdersUndoEachOther(
    rotated: Int, headsPerRotated: Int
) {
    let (rotary, headSize) = (rotary(rotated), rotated * headsPerRotated)
    for row in 0..<3 * headSize {
        let there = rotary.sourceRow(of: row, headSize: headSize, to: .adjacent)
        #expect(rotary.sourceRow(of: there, headSize: headSize, to: .halves) == row)
        #expect(there / headSize == row / headSize)
    }
}

@Test func adjacentRowsComeFromTheTwoHalves() {
    // Heads of six rows: the pairs are (0, 3), (1, 4), (2, 5).
    let rows = (0..<6).map { rotary(6).sourceRow(of: $0, headSize: 6, to: .adjacent) }
    #expect(rows == [0, 3, 1, 4, 2, 5])
}

@Test func rowsThatAreNotRotatedStay() {
    let rows = (0..<8).map { rotary(4).sourceRow(of: $0, headSize: 8, to: .adjacent) }
    #expect(rows == [0, 2, 1, 3, 4, 5, 6, 7])
}

@Test func dynamicScalingBeginsBeyondTheOriginalContext() {
    let scaled = rotary(8, .dynamic(factor: 2, originalContext: 64))
    #expect(scaled.frequencies(positionCount: 64) == rotary(8).frequencies(positionCount: 64))
    // base · (2·128/64 − 1)^(8/6)
    let larger = rotary(8, base: 10_000 * 4.326748710922225)
    for (found, expected) in zip(
        scaled.frequencies(positionCount: 128), larger.frequencies(positionCount: 128))
    {
        #expect(abs(found - expected) < 1e-12)
    }
}

@Test func yarnKeepsFastFrequenciesAndDividesSlowOnes() {
    let yarn = RotaryEmbedding.YaRN(factor: 4, originalContext: 2048)
    let divisors = rotary(64, .yarn(yarn)).divisors(positionCount: 0)
    #expect(divisors.first == 1)
    #expect(divisors.last == 4)
    #expect(zip(divisors, divisors.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(abs(rotary(64, .yarn(yarn)).attentionFactor - 1.138629436111989) < 1e-12)
}

@Test func longRoPETakesItsTableByTheLengthOfSequences() {
    let scaled = rotary(
        4,
        .longRoPE(
            RotaryEmbedding.LongRoPE(
                short: [1, 2], long: [3, 4], originalContext: 16, attentionFactor: 1)))
    #expect(scaled.divisors(positionCount: 16) == [1, 2])
    #expect(scaled.divisors(positionCount: 17) == [3, 4])
}

@Test func linearScalingDividesEveryFrequency() {
    var rotary = RotaryEmbedding(dimensionCount: 8, base: 10_000, pairing: .halves)
    let plain = rotary.frequencies(positionCount: 0)
    rotary.scaling = .linear(factor: 4)
    #expect(rotary.frequencies(positionCount: 0) == plain.map { $0 / 4 })
}

@Test func llama3ScalingKeepsHighFrequenciesAndDividesLowOnes() throws {
    let rotary = RotaryEmbedding(
        dimensionCount: 128, base: 500_000, pairing: .halves,
        scaling: .llama3(factor: 8, lowFrequency: 1, highFrequency: 4, originalContext: 8192))
    let divisors = rotary.divisors(positionCount: 0)
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
            matching: rotary.divisors(positionCount: 0), dimensionCount: 64, base: 500_000)
            == scaling)
    #expect(
        RotaryEmbedding.llama3Scaling(
            matching: [1, 3, 2, 9], dimensionCount: 8, base: 10_000) == nil)
}
