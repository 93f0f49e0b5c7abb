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
    /// Sums over the tokens of each block, in the text's order: what a later run is compared with.
    public let blocks: [Block]
    /// Tokens to look at, the worst first.
    public let notableTokens: [NotableToken]

    /// e to the mean negative log-likelihood.
    public var perplexity: Double { exp(meanNegativeLogLikelihood.mean) }

    /// llama.cpp's error of the mean, carried through the exponential to first order.
    public var perplexityStandardError: Double? {
        meanNegativeLogLikelihood.standardError.map { $0 * perplexity }
    }

    /// With 95 % confidence, blocks being independent.
    public var perplexityInterval: ConfidenceInterval? {
        meanNegativeLogLikelihood.interval()?.map { exp($0) }
    }

    /// The tokens of one or more neighbouring windows, added up.
    public struct Block: Sendable, Hashable {
        public let tokenCount: Int
        /// In nats.
        public let negativeLogLikelihood: Double
        /// In nats; nil without a reference.
        public let divergence: Double?

        public init(tokenCount: Int, negativeLogLikelihood: Double, divergence: Double?) {
            self.tokenCount = tokenCount
            self.negativeLogLikelihood = negativeLogLikelihood
            self.divergence = divergence
        }
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
        /// What the reference itself leaves open about the mean divergence; nil where it cannot tell.
        public let noiseFloor: NoiseFloor?
        /// The share of tokens at which both find the same token most likely, 0 to 1.
        public let sameTop: SampleMean
        /// The model's probability of the token that came minus the reference's, -1 to 1.
        public let probabilityDifference: SampleMean
        /// Its square.
        public let squaredProbabilityDifference: SampleMean

        public var referencePerplexity: Double { exp(referenceNegativeLogLikelihood.mean) }

        public var referencePerplexityStandardError: Double? {
            referenceNegativeLogLikelihood.standardError.map { $0 * referencePerplexity }
        }

        /// With 95 % confidence, blocks being independent.
        public var referencePerplexityInterval: ConfidenceInterval? {
            referenceNegativeLogLikelihood.interval()?.map { exp($0) }
        }

        /// The model's perplexity over the reference's.
        public var perplexityRatio: Double { exp(excessNegativeLogLikelihood.mean) }

        public var perplexityRatioStandardError: Double? {
            excessNegativeLogLikelihood.standardError.map { $0 * perplexityRatio }
        }

        /// The paired interval: of the mean difference of losses on the same tokens, through the exponential.
        public var perplexityRatioInterval: ConfidenceInterval? {
            excessNegativeLogLikelihood.interval()?.map { exp($0) }
        }

        /// The root of the mean square of the differences of probability, llama.cpp's "RMS Δp", 0 to 1.
        public var rootMeanSquareProbabilityDifference: Double {
            squaredProbabilityDifference.mean.squareRoot()
        }

        public var rootMeanSquareProbabilityDifferenceInterval: ConfidenceInterval? {
            squaredProbabilityDifference.interval()?.map { max(0, $0).squareRoot() }
        }
    }
}

extension EvaluationResult {
    /// Tokens that a result keeps for people to look at.
    static let notableTokenCount = 10

    init(
        _ sampled: [TokenScore], windows: [EvaluationWindow], convention: Convention,
        hasReference: Bool, noiseFloor: NoiseFloor.Source? = nil
    ) {
        let sampling = sampled.reduce(SamplingError()) { $0 + $1.sampling }
        let weight = sampling.weight
        let scores = sampled.map { $0.corrected(weight: weight) }
        self.convention = convention
        windowCount = windows.count
        tokensScored = scores.count
        let ranges = windows.blockRanges(windowsPerBlock: convention.windowsPerBlock)
        meanNegativeLogLikelihood = SampleMean(scores.map(\.negativeLogLikelihood), blocks: ranges)
        comparison =
            hasReference
            ? Comparison(
                scores, blocks: ranges,
                noiseFloor: noiseFloor.map {
                    switch $0 {
                    case .measured(let divergence):
                        NoiseFloor(divergence: divergence, origin: .summation)
                    case .kept:
                        NoiseFloor(
                            divergence: sampling.standardError(
                                weight: weight, rowCount: scores.count), origin: .storage)
                    }
                }) : nil
        blocks = ranges.map { range in
            Block(
                tokenCount: range.count,
                negativeLogLikelihood: scores[range].reduce(0) { $0 + $1.negativeLogLikelihood },
                divergence: hasReference ? scores[range].reduce(0) { $0 + $1.divergence } : nil)
        }
        notableTokens = NotableToken.worst(
            scores, windows: windows, hasReference: hasReference, count: Self.notableTokenCount)
    }
}

extension [EvaluationWindow] {
    /// Which of the scored tokens, counted through all windows, belong to which block.
    func blockRanges(windowsPerBlock: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        for first in stride(from: 0, to: count, by: windowsPerBlock) {
            let block = self[first..<Swift.min(count, first + windowsPerBlock)]
            let end = start + block.reduce(0) { $0 + $1.scored.count }
            ranges.append(start..<end)
            start = end
        }
        return ranges
    }
}

extension EvaluationResult.Comparison {
    init(_ scores: [TokenScore], blocks: [Range<Int>], noiseFloor: NoiseFloor?) {
        self.noiseFloor = noiseFloor
        func mean(
            _ value: (TokenScore) -> Double, limits: ClosedRange<Double> = -.infinity ... .infinity
        ) -> SampleMean {
            SampleMean(scores.map(value), blocks: blocks, limits: limits)
        }
        referenceNegativeLogLikelihood = mean(\.referenceNegativeLogLikelihood)
        excessNegativeLogLikelihood = mean {
            $0.negativeLogLikelihood - $0.referenceNegativeLogLikelihood
        }
        divergence = mean(\.divergence)
        divergenceQuantiles = Quantiles(scores.map(\.divergence))
        sameTop = mean({ $0.hasSameTop ? 1 : 0 }, limits: 0...1)
        probabilityDifference = mean(\.probabilityDifference)
        squaredProbabilityDifference = mean {
            $0.probabilityDifference * $0.probabilityDifference
        }
    }
}
