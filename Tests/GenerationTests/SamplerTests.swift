import Foundation
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Generation

/// Logits that look like a model's: a few likely tokens and a long tail.
private func someLogits(_ count: Int, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return generator.normals(count).map { $0 * 3 }
}

private func softmax(_ logits: [Float]) -> [Double] {
    let maximum = Double(logits.max() ?? 0)
    let powers = logits.map { exp(Double($0) - maximum) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
}

private func candidates(_ logits: [Float]) -> Candidates {
    logits.withUnsafeBufferPointer(Candidates.init)
}

@Test func theGeneratorGivesThePublishedNumbers() {
    var generator = SplitMix64(seed: 0)
    #expect(generator.next() == 0xE220_A839_7B1D_CDAF)
    #expect(generator.next() == 0x6E78_9E6A_A1B9_65F4)
    #expect(generator.next() == 0x06C4_5D18_8009_454F)
    for _ in 0..<1000 { #expect((0..<1).contains(generator.uniform())) }
}

@Test(arguments: 1...20 as ClosedRange<UInt64>) func topKKeepsTheMostLikely(seed: UInt64) {
    let logits = someLogits(200, seed: seed)
    let count = Int(seed) * 7 % 199 + 1
    var kept = candidates(logits)
    TopK(count: count).apply(to: &kept)
    let sorted = logits.sorted(by: >)
    #expect(kept.ids == logits.indices.filter { logits[$0] >= sorted[count - 1] }.map(Int32.init))
    #expect(kept.count == count)
    for rank in [1, 2, 100, 200] {
        #expect(TopK.largest(rank, of: logits) == sorted[rank - 1])
    }
}

@Test func selectionCopesWithEqualNumbers() {
    for rank in 1...6 {
        #expect(
            TopK.largest(rank, of: [2, 2, 1, 2, -.infinity, 1])
                == [2, 2, 2, 1, 1, -.infinity][rank - 1])
    }
    var kept = candidates([1, 1, 1, 0])
    TopK(count: 2).apply(to: &kept)
    #expect(kept.ids == [0, 1, 2])
}

@Test(arguments: 1...20 as ClosedRange<UInt64>) func topPKeepsTheSmallestSetThatReachesTheSum(
    seed: UInt64
) {
    let logits = someLogits(300, seed: seed)
    let sum = Float(seed) / 21
    var kept = candidates(logits)
    TopP(sum: sum).apply(to: &kept)
    let probabilities = softmax(logits)
    let total = kept.ids.reduce(0.0) { $0 + probabilities[Int($1)] }
    let least = kept.ids.map { probabilities[Int($0)] }.min() ?? 0
    // The exponential's error, 2⁻²², moves the sum by no more than this.
    #expect(total >= Double(sum) - 1e-6)
    #expect(total - least < Double(sum) + 1e-6)
    let others = probabilities.indices.filter { !kept.ids.contains(Int32($0)) }
    #expect(others.allSatisfy { probabilities[$0] <= least })
}

@Test func topPTakesLowerIdsOfEquals() {
    var kept = candidates([0, 0, 0, 0])
    TopP(sum: 0.5).apply(to: &kept)
    #expect(kept.ids == [0, 1])
    kept = candidates([0, 9, 0])
    TopP(sum: 0.01).apply(to: &kept)
    #expect(kept.ids == [1])
}

@Test(arguments: [Float(0.01), 0.1, 0.5, 1]) func minPKeepsAShareOfTheMostLikely(share: Float) {
    let logits = someLogits(300, seed: 5)
    var kept = candidates(logits)
    MinP(share: share).apply(to: &kept)
    let probabilities = softmax(logits)
    let bound = Double(share) * (probabilities.max() ?? 0)
    // A token within rounding of the bound may go either way; this seed has none.
    #expect(
        kept.ids
            == probabilities.indices.filter { probabilities[$0] >= bound * (1 - 1e-6) }
            .map(Int32.init))
}

@Test func repetitionIsPenalizedOnEitherSideOfZero() {
    var all = candidates([2, -2, 2, -2, 0])
    RepetitionPenalty(penalty: 2, window: nil).apply(to: &all, history: [0, 1, 1, 4])
    #expect(all.logits == [1, -4, 2, -2, 0])
    var last = candidates([2, -2, 2])
    RepetitionPenalty(penalty: 2, window: 2).apply(to: &last, history: [0, 1, 1])
    #expect(last.logits == [2, -4, 2])
}

@Test func temperatureZeroTakesTheFirstOfTheMostLikely() throws {
    let sampler = Sampler(SamplingOptions())
    let logits: [Float] = [1, 3, 3, -.infinity]
    let distribution = try logits.withUnsafeBufferPointer {
        try sampler.distribution(of: $0, history: [])
    }
    #expect(distribution == TokenDistribution(certain: 1))
}

@Test(arguments: [[Float.nan, 1], [1, .nan, 2], [-.infinity, -.infinity], [1, .infinity]])
func brokenLogitsAreAnError(logits: [Float]) {
    for temperature in [Float(0), 1] {
        var options = SamplingOptions()
        options.temperature = temperature
        #expect(throws: ModelError.self) {
            try logits.withUnsafeBufferPointer {
                _ = try Sampler(options).distribution(of: $0, history: [])
            }
        }
    }
}

/// Pearson's statistic of counts against probabilities, for as many degrees of freedom as there are
/// tokens less one. Its mean is that number and its variance twice that.
private func chiSquare(_ counts: [Int], _ probabilities: [Double]) -> Double {
    let total = Double(counts.reduce(0, +))
    return zip(counts, probabilities).reduce(0.0) { sum, pair in
        let expected = pair.1 * total
        return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
    }
}

/// Five standard deviations above the mean: one run in more than a million, and the seeds are fixed.
private func bound(degrees: Int) -> Double {
    Double(degrees) + 5 * (2 * Double(degrees)).squareRoot()
}

@Test(arguments: [Float(0.5), 1, 2]) func drawsFollowTheSoftmax(temperature: Float) throws {
    let logits = someLogits(12, seed: 3)
    var options = SamplingOptions()
    options.temperature = temperature
    let distribution = try logits.withUnsafeBufferPointer {
        try Sampler(options).distribution(of: $0, history: [])
    }
    var generator = SplitMix64(seed: 42)
    var counts = [Int](repeating: 0, count: 12)
    for _ in 0..<200_000 { counts[Int(distribution.draw(&generator))] += 1 }
    let expected = softmax(logits.map { $0 / temperature })
    #expect(chiSquare(counts, expected) < bound(degrees: 11))
}

@Test func allFiltersTogetherDrawFromWhatTheyKeep() throws {
    let logits = someLogits(100, seed: 8)
    var options = SamplingOptions()
    (options.temperature, options.topK, options.topP, options.minP) = (2, 20, 0.9, 0.05)
    options.repetitionPenalty = 1.3
    let history: [Int32] = [3, 14, 15]
    let distribution = try logits.withUnsafeBufferPointer {
        try Sampler(options).distribution(of: $0, history: history)
    }
    // The same, by definition: each filter over what the one before it left.
    var rest = logits.indices.map { index -> (id: Int, logit: Float) in
        let logit = logits[index]
        let isThere = history.contains(Int32(index))
        return (index, (isThere ? (logit < 0 ? logit * 1.3 : logit / 1.3) : logit) / 2)
    }.sorted { $0.logit > $1.logit }
    rest = Array(rest.prefix(20))
    var (sum, count) = (0.0, 0)
    for probability in softmax(rest.map(\.logit)) where sum < 0.9 {
        (sum, count) = (sum + probability, count + 1)
    }
    rest = Array(rest.prefix(count))
    let probabilities = softmax(rest.map(\.logit))
    rest = Array(rest.prefix { $0.logit >= rest[0].logit + logf(0.05) })
    #expect(probabilities.count >= rest.count && rest.count > 3)
    #expect(distribution.ids == rest.map { Int32($0.id) }.sorted())
    for ((id, _), expected) in zip(rest, softmax(rest.map(\.logit))) {
        #expect(abs(Double(distribution[Int32(id)]) - expected) < 1e-5)
    }
}

@Test(arguments: 1...4 as ClosedRange<UInt64>) func draftsKeepTheDistribution(seed: UInt64) {
    // Unlike distributions, of which some lack tokens of others.
    func distribution(_ seed: UInt64, of ids: Range<Int32>) -> TokenDistribution {
        let probabilities = softmax(someLogits(ids.count, seed: seed)).map(Float.init)
        return TokenDistribution(ids: Array(ids), probabilities: probabilities)
    }
    let wanted = distribution(seed, of: 2..<10)
    let drafted = distribution(seed + 50, of: seed == 1 ? 2..<10 : 0..<8)
    var generator = SplitMix64(seed: seed)
    var counts = [Int](repeating: 0, count: 8)
    for _ in 0..<200_000 {
        let draft = drafted.draw(&generator)
        switch Acceptance.decide(draft, drafted, wanted, &generator) {
        case .accepted: counts[Int(draft) - 2] += 1
        case .replaced(let id): counts[Int(id) - 2] += 1
        }
    }
    #expect(chiSquare(counts, wanted.probabilities.map(Double.init)) < bound(degrees: 7))
}

@Test func equalDraftsAreAlwaysAccepted() {
    let distribution = TokenDistribution(ids: [1, 5], probabilities: [0.25, 0.75])
    var generator = SplitMix64(seed: 1)
    for id: Int32 in [1, 5] {
        #expect(Acceptance.decide(id, distribution, distribution, &generator) == .accepted)
    }
    let certain = TokenDistribution(certain: 7)
    #expect(Acceptance.decide(1, distribution, certain, &generator) == .replaced(7))
}
