import Evaluation
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

private func blocks(
    _ count: Int, seed: UInt64, loss: (Double) -> Double, divergence: ((Double) -> Double)?
) -> [EvaluationResult.Block] {
    var generator = SeededGenerator(seed: seed)
    return generator.normals(count).map { noise in
        let level = 3 + 0.4 * Double(noise)
        return EvaluationResult.Block(
            tokenCount: 255, negativeLogLikelihood: 255 * loss(level),
            divergence: divergence.map { 255 * $0(level) })
    }
}

@Test func aModelHasNotBecomeWorseThanItself() throws {
    let same = blocks(20, seed: 1, loss: { $0 }, divergence: { 0.01 * $0 })
    let regression = try Regression(of: same, since: same)
    #expect(regression.perplexityRatio.value == 1)
    #expect(regression.perplexityRatio.interval == ConfidenceInterval(lower: 1, upper: 1))
    #expect(regression.divergenceRatio?.value == 1)
}

/// The windows' own difficulty varies by 40 %, the models' difference by nothing: pairing finds 1 %.
@Test func pairingByBlockResolvesWhatTheTextWouldHide() throws {
    let before = blocks(20, seed: 2, loss: { $0 }, divergence: { 0.01 * $0 })
    let after = blocks(20, seed: 2, loss: { $0 + 0.01 }, divergence: { 0.0103 * $0 })
    let regression = try Regression(of: after, since: before)
    #expect(abs(regression.perplexityRatio.value - exp(0.01)) < 1e-12)
    #expect((regression.perplexityRatio.interval?.lower ?? 0) > 1.0099)
    let divergence = try #require(regression.divergenceRatio)
    #expect(abs(divergence.value - 1.03) < 1e-4)
    #expect((divergence.interval?.lower ?? 0) > 1.029)
}

@Test func withoutDivergencesThereIsNoRatioOfThem() throws {
    let before = blocks(4, seed: 3, loss: { $0 }, divergence: nil)
    let after = blocks(4, seed: 3, loss: { $0 }, divergence: { $0 })
    #expect(try Regression(of: after, since: before).divergenceRatio == nil)
}

@Test func modelsWithoutLossCanBeCompared() throws {
    let none = blocks(4, seed: 4, loss: { $0 }, divergence: { _ in 0 })
    #expect(try Regression(of: none, since: none).divergenceRatio?.value == 1)
}

@Test(arguments: [0, 3, 5]) func refusesBlocksOfAnotherText(count: Int) {
    let four = blocks(4, seed: 5, loss: { $0 }, divergence: nil)
    let others = blocks(count, seed: 5, loss: { $0 }, divergence: nil)
    #expect(throws: EvaluationError.baselineDiffers(.windows)) {
        try Regression(of: four, since: others)
    }
}
