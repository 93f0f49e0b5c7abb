import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What one prediction is worth.
struct TokenScore: Sendable {
    var negativeLogLikelihood: Double
    /// The others are zero without a reference.
    var referenceNegativeLogLikelihood = 0.0
    var divergence = 0.0
    /// The tokens that both find most likely.
    var top = 0
    var referenceTop = 0
    /// Where the divergence was computed from a sample of the vocabulary.
    var sampling = SamplingError()

    var hasSameTop: Bool { top == referenceTop }

    /// By how much more likely the model finds the token that comes, -1 to 1.
    var probabilityDifference: Double {
        exp(-negativeLogLikelihood) - exp(-referenceNegativeLogLikelihood)
    }

    /// The score with the divergence that the samples of all rows together say is the best
    /// (`SamplingError`).
    func corrected(weight: Double) -> TokenScore {
        var score = self
        score.divergence -= (1 - weight) * sampling.control
        return score
    }

    var isFinite: Bool {
        negativeLogLikelihood.isFinite && referenceNegativeLogLikelihood.isFinite
            && divergence.isFinite
    }
}

extension TokenScore {
    init(
        of id: Int, logits: UnsafeBufferPointer<Float>, reference: (any ReferenceRows)?, row: Int
    ) {
        let total = RowFunctions.logSumExp(logits)
        negativeLogLikelihood = total - Double(logits[id])
        guard let reference else { return }
        let comparison = reference.compare(row: row, id: id, logits: logits, logSumExp: total)
        referenceNegativeLogLikelihood = comparison.negativeLogLikelihood
        divergence = comparison.divergence
        sampling = comparison.sampling
        top = RowFunctions.indexOfMaximum(logits)
        referenceTop = comparison.top
    }
}

/// A token that is worth looking at: one of those whose prediction changed most, or, without a reference, of
/// those that came as the greatest surprise.
public struct NotableToken: Sendable, Hashable {
    /// The window, counted from 0, and the position of the token in it.
    public let window, position: Int
    /// The token that came.
    public let id: Int32
    /// The tokens before it, sixteen at most.
    public let context: [Int32]
    /// In nats.
    public let negativeLogLikelihood: Double
    public let comparison: Comparison?

    public struct Comparison: Sendable, Hashable {
        public let referenceNegativeLogLikelihood: Double
        /// In nats.
        public let divergence: Double
        /// What the model and the reference expected most.
        public let top, referenceTop: Int32
    }

    /// Tokens of context that are kept.
    static let contextLength = 16
}

extension NotableToken {
    init(_ score: TokenScore, window: Int, position: Int, ids: [Int32], hasReference: Bool) {
        (self.window, self.position) = (window, position)
        id = ids[position]
        context = Array(ids[max(0, position - Self.contextLength)..<position])
        negativeLogLikelihood = score.negativeLogLikelihood
        comparison =
            hasReference
            ? Comparison(
                referenceNegativeLogLikelihood: score.referenceNegativeLogLikelihood,
                divergence: score.divergence, top: Int32(score.top),
                referenceTop: Int32(score.referenceTop)) : nil
    }

    /// The tokens with the largest divergence, or the largest loss where nothing is compared; of equals the
    /// earlier one.
    static func worst(
        _ scores: [TokenScore], windows: [EvaluationWindow], hasReference: Bool, count: Int
    ) -> [NotableToken] {
        func weight(_ score: TokenScore) -> Double {
            hasReference ? score.divergence : score.negativeLogLikelihood
        }
        var places: [(window: Int, position: Int)] = []
        for (index, window) in windows.enumerated() {
            places += window.scored.map { (index, $0 + 1) }
        }
        return scores.indices
            .sorted { (weight(scores[$1]), $0) < (weight(scores[$0]), $1) }
            .prefix(count)
            .map { index in
                NotableToken(
                    scores[index], window: places[index].window, position: places[index].position,
                    ids: windows[places[index].window].ids, hasReference: hasReference)
            }
    }
}
