#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How much worse a model is than an earlier one on the same tokens, block by block.
///
/// Both were evaluated on the same text under the same convention, though perhaps months apart: what an
/// earlier run leaves behind are the sums of its blocks (`EvaluationResult.Block`). The difference of two
/// models is taken within each block, so that what makes a text hard for both cancels.
public struct Regression: Sendable, Hashable {
    /// The perplexity over the earlier one: e to the mean difference of losses, with X_b and Y_b the losses
    /// of block b now and then, n_b its tokens and d the mean difference Σ (X_b − Y_b) / Σ n_b; the error is
    /// that of `SampleMean`, from the deviations X_b − Y_b − n_b · d.
    public let perplexityRatio: Ratio
    /// The divergence over the earlier one, where both runs have a reference: R = Σ X_b / Σ Y_b, whose error
    /// to first order comes from the deviations X_b − R · Y_b, over Σ Y_b.
    public let divergenceRatio: Ratio?

    public struct Ratio: Sendable, Hashable {
        public let value: Double
        /// With 95 % confidence; nil for fewer than two blocks.
        public let interval: ConfidenceInterval?
    }

    /// A millionth of a nat per token, below which a divergence is the arithmetic's rounding. It is added to
    /// both divergences, or a model without loss could not be compared with its like.
    static let divergenceFloor = 1e-6

    /// - Parameters:
    ///   - blocks: of the model as it is now.
    ///   - baseline: of the earlier one.
    /// - Throws: `EvaluationError.baselineDiffers` for blocks that do not hold the same number of tokens.
    public init(
        of blocks: [EvaluationResult.Block], since baseline: [EvaluationResult.Block]
    ) throws(EvaluationError) {
        guard !blocks.isEmpty, blocks.map(\.tokenCount) == baseline.map(\.tokenCount) else {
            throw EvaluationError.baselineDiffers(.windows)
        }
        let pairs = Array(zip(blocks, baseline))
        let tokenCount = Double(blocks.reduce(0) { $0 + $1.tokenCount })
        let reach =
            blocks.count > 1
            ? StudentDistribution.quantile(0.975, degreesOfFreedom: blocks.count - 1) : nil
        func interval(
            around value: Double, _ deviations: [Double], over total: Double
        ) -> ConfidenceInterval? {
            reach.map { reach in
                let distance = reach * SampleMean.blockError(deviations) / total
                return ConfidenceInterval(lower: value - distance, upper: value + distance)
            }
        }

        let differences = pairs.map { $0.negativeLogLikelihood - $1.negativeLogLikelihood }
        let mean = differences.reduce(0, +) / tokenCount
        let deviations = zip(differences, pairs).map { $0 - Double($1.0.tokenCount) * mean }
        perplexityRatio = Ratio(
            value: exp(mean),
            interval: interval(around: mean, deviations, over: tokenCount)?.map { exp($0) })

        let divergences = pairs.compactMap { now, then -> (now: Double, then: Double)? in
            guard let first = now.divergence, let second = then.divergence else { return nil }
            let floor = Double(now.tokenCount) * Self.divergenceFloor
            return (max(0, first) + floor, max(0, second) + floor)
        }
        guard divergences.count == pairs.count else {
            divergenceRatio = nil
            return
        }
        let total = divergences.reduce(0) { $0 + $1.then }
        let ratio = divergences.reduce(0) { $0 + $1.now } / total
        divergenceRatio = Ratio(
            value: ratio,
            interval: interval(
                around: ratio, divergences.map { $0.now - ratio * $0.then }, over: total))
    }
}
