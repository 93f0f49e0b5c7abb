import Evaluation
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Test func standardErrorIsThatOfLlamaCpp() {
    // √((mean of squares − square of the mean) / (n − 1)) of 1, 2, 3, 6: √((12.5 − 9) / 3).
    let sample = SampleMean([1, 2, 3, 6])
    #expect(sample.mean == 3)
    #expect(sample.standardError == (3.5 / 3).squareRoot())
}

@Test func oneValueHasNoStandardError() {
    #expect(SampleMean([4]).standardError == nil)
}

@Test func smallValuesOnALargeOffsetKeepTheirError() {
    // A single pass over squares would find 0 here: 1e9² has no room for 1e-3².
    let sample = SampleMean([1e9, 1e9 + 1e-3])
    #expect((sample.standardError ?? 0) > 4e-4)
}

@Test func quantilesLieBetweenTheirNeighbours() {
    let quantiles = Quantiles((0...100).map(Double.init).shuffled())
    #expect(quantiles.median == 50)
    #expect(quantiles.percentile90 == 90)
    #expect(quantiles.percentile99 == 99)
    #expect(quantiles.percentile999 == 99.9)
    #expect(quantiles.maximum == 100)
    #expect(Quantiles([1, 2]).median == 1.5)
}

@Test func theErrorOfBlocksFollowsItsFormula() throws {
    let values = [1.0, 2, 4, 0, 3, 5, 2]
    let blocks = [0..<2, 2..<3, 3..<7]
    let mean = 17.0 / 7
    let deviations = blocks.map { values[$0].reduce(0, +) - Double($0.count) * mean }
    let expected = (1.5 * deviations.reduce(0) { $0 + $1 * $1 }).squareRoot() / 7
    let sample = SampleMean(values, blocks: blocks)
    #expect(sample.blockCount == 3)
    #expect(abs((sample.blockStandardError ?? 0) - expected) < 1e-15)
    // t of two degrees of freedom at 0.975 is 4.302653.
    let interval = try #require(sample.interval())
    #expect(abs((interval.upper - interval.lower) / 2 / expected - 4.302653) < 1e-6)
}

@Test func blocksOfOneTokenGiveTheErrorOfIndependentTokens() {
    let sample = SampleMean([1, 2, 3, 6], blocks: (0..<4).map { $0..<$0 + 1 })
    #expect(abs((sample.blockStandardError ?? 0) - (sample.standardError ?? 1)) < 1e-15)
}

@Test func anIntervalEndsWhereValuesDo() throws {
    let blocks = (0..<4).map { $0 * 2..<$0 * 2 + 2 }
    let shares = SampleMean([1, 1, 1, 1, 1, 1, 1, 0], blocks: blocks, limits: 0...1)
    let free = SampleMean([1, 1, 1, 1, 1, 1, 1, 0], blocks: blocks)
    #expect((free.interval()?.upper ?? 0) > 1)
    #expect(shares.interval()?.upper == 1)
    #expect(shares.interval()?.lower == free.interval()?.lower)
}

@Test func oneBlockHasNoInterval() {
    #expect(SampleMean([1, 2, 3], blocks: [0..<3]).interval() == nil)
}

/// Quantiles as tables of the distribution print them.
@Test(arguments: [
    (1, 12.706205), (2, 4.302653), (3, 3.182446), (4, 2.776445), (9, 2.262157), (30, 2.042272),
    (120, 1.979930), (1000, 1.962339), (1_000_000, 1.962339),
]) func studentsQuantilesAreThoseOfTables(degreesOfFreedom: Int, quantile: Double) {
    let found = StudentDistribution.quantile(0.975, degreesOfFreedom: degreesOfFreedom)
    #expect(abs(found - quantile) < 5e-7)
}

/// 200 pairs of models that are equally good: their losses differ by noise whose mean is nothing, part of it
/// a window's own and part a token's. What a 95 % gate promises is that at most one in twenty trips it.
@Test func noiseTripsAGateAtMostOneTimeInTwenty() {
    var generator = SeededGenerator(seed: 5)
    var (trips, tokenTrips) = (0, 0)
    let (windowCount, tokenCount) = (24, 255)
    let blocks = (0..<windowCount).map { $0 * tokenCount..<($0 + 1) * tokenCount }
    for _ in 0..<200 {
        let shared = generator.normals(windowCount)
        let own = generator.normals(windowCount * tokenCount)
        let excess = own.indices.map {
            0.1 * Double(own[$0]) + 0.02 * Double(shared[$0 / tokenCount])
        }
        let sample = SampleMean(excess, blocks: blocks)
        if let interval = sample.interval(), interval.lower > 0 { trips += 1 }
        if let error = sample.standardError, sample.mean - 1.96 * error > 0 { tokenTrips += 1 }
    }
    #expect(trips <= 10)
    // The reason for blocks: with tokens taken for independent, one pair in five would be called worse.
    #expect(tokenTrips > 30)
}

@Test func aLossThatIsThereIsResolved() throws {
    var generator = SeededGenerator(seed: 7)
    let noise = generator.normals(48 * 255).map { 0.1 * Double($0) }
    let blocks = (0..<48).map { $0 * 255..<($0 + 1) * 255 }
    let interval = try #require(SampleMean(noise.map { $0 + 0.01 }, blocks: blocks).interval())
    #expect(interval.lower > 0 && interval.upper < 0.02)
}
