#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How well a model predicts a text, and how far it is from its reference.
public struct EvaluationResult: Sendable, Hashable {
    public let convention: Convention
    public let windowCount: Int
    /// Tokens whose prediction was scored.
    public let tokensScored: Int
    /// In nats per token.
    public let meanNegativeLogLikelihood: SampleMean
    /// Against the reference, where there was one.
    public let comparison: Comparison?

    /// e to the mean negative log-likelihood.
    public var perplexity: Double { exp(meanNegativeLogLikelihood.mean) }

    /// The error of the mean, carried through the exponential to first order.
    public var perplexityStandardError: Double? {
        meanNegativeLogLikelihood.standardError.map { $0 * perplexity }
    }

    /// Two models on the same tokens.
    public struct Comparison: Sendable, Hashable {
        /// The reference's own, on the same tokens.
        public let referenceNegativeLogLikelihood: SampleMean
        /// The model's minus the reference's, token by token: the noise of the text cancels.
        public let excessNegativeLogLikelihood: SampleMean
        /// Kullback and Leibler's divergence of the model's prediction from the reference's, in nats per
        /// token (1951, equation 2.4; the expectation is the reference's).
        public let divergence: SampleMean
        public let divergenceQuantiles: Quantiles
        /// The share of tokens at which both find the same token most likely, 0 to 1.
        public let sameTop: SampleMean

        public var referencePerplexity: Double { exp(referenceNegativeLogLikelihood.mean) }

        public var referencePerplexityStandardError: Double? {
            referenceNegativeLogLikelihood.standardError.map { $0 * referencePerplexity }
        }

        /// The model's perplexity over the reference's.
        public var perplexityRatio: Double { exp(excessNegativeLogLikelihood.mean) }

        public var perplexityRatioStandardError: Double? {
            excessNegativeLogLikelihood.standardError.map { $0 * perplexityRatio }
        }
    }
}

/// What one prediction is worth.
struct TokenScore: Sendable {
    var negativeLogLikelihood: Double
    /// The other three are zero without a reference.
    var referenceNegativeLogLikelihood = 0.0
    var divergence = 0.0
    var hasSameTop = false
}

extension EvaluationResult {
    init(_ scores: [TokenScore], convention: Convention, windowCount: Int, hasReference: Bool) {
        self.convention = convention
        self.windowCount = windowCount
        tokensScored = scores.count
        meanNegativeLogLikelihood = SampleMean(scores.map(\.negativeLogLikelihood))
        comparison = hasReference ? Comparison(scores) : nil
    }
}

extension EvaluationResult.Comparison {
    init(_ scores: [TokenScore]) {
        referenceNegativeLogLikelihood = SampleMean(scores.map(\.referenceNegativeLogLikelihood))
        excessNegativeLogLikelihood = SampleMean(
            scores.map { $0.negativeLogLikelihood - $0.referenceNegativeLogLikelihood })
        let divergences = scores.map(\.divergence)
        divergence = SampleMean(divergences)
        divergenceQuantiles = Quantiles(divergences)
        sameTop = SampleMean(scores.map { $0.hasSameTop ? 1 : 0 })
    }
}
