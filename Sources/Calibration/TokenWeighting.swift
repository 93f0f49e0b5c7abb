import Architectures
import Inference
import Kernels

/// How much each calibration token counts in a Hessian.
public enum TokenWeighting: String, Sendable, Hashable, CaseIterable {
    /// Every token the same.
    case uniform
    /// Nine tenths the same for all, a tenth by the attention that the token receives, averaged over heads of
    /// the layer: a ninth of them, or one head, in turn for each sequence.
    ///
    /// A window's first token is read by every later one, yet is one row among hundreds of a Hessian.
    /// Counting tokens by how much they are read halves the divergence of a four-bit model.
    case attention

    /// On SmolLM2, where a window's first token draws most of the attention, shares from 0.03 to 0.25 do
    /// alike, and one half does worse; on models without such a token less is better.
    private static let attentionShare: Float = 0.1
    /// Parts of a layer's heads, at most, of which a sequence is asked of one.
    private static let largestHeadPartCount = 9

    /// An odd number: of an even one, every other sequence would only ever be asked of half of the heads.
    private static func partCount(ofHeads headCount: Int) -> Int {
        (min(largestHeadPartCount, headCount) - 1) | 1
    }

    /// One weight per token of the batch, 1 on average.
    ///
    /// - Parameters:
    ///   - layer: the layer that is about to see the tokens.
    ///   - input: what the layer's queries and keys are made of, (tokens, hiddenSize).
    ///   - batch: the sequences that the tokens belong to.
    ///   - decoder: the model, whose attention is asked.
    /// - Returns: as many numbers as the batch has tokens, none of them negative.
    /// - Throws: what decoding the query and key matrices throws.
    func weights(
        layer: Int, input: UnsafeMutableBufferPointer<Float>, batch: TokenBatch, decoder: Decoder
    ) throws -> [Float] {
        switch self {
        case .uniform:
            return [Float](repeating: 1, count: batch.tokenCount)
        case .attention:
            let mass = try decoder.attentionMass(
                layer: layer, input: input, batch: batch,
                partCount: Self.partCount(ofHeads: decoder.description.headCount))
            return mass.map { 1 - Self.attentionShare + Self.attentionShare * $0 }
        }
    }
}

/// The token weights of the layer that is being calibrated.
///
/// They are made where the layer's queries are due and serve all of its matrices.
final class LayerTokenWeights {
    private let weighting: TokenWeighting
    private var weights: [Float] = []

    init(_ weighting: TokenWeighting) { self.weighting = weighting }

    /// One weight for each row of the input.
    ///
    /// They are made anew when the roles are those of queries.
    func weights(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [Float] {
        // Nothing attends to what becomes a logit: there all tokens are alike.
        guard roles.contains(where: { $0.layer != nil }) else {
            return [Float](repeating: 1, count: input.tokens.count)
        }
        if let query = roles.first(where: { $0.module == .query }), let layer = query.layer {
            weights = try weighting.weights(
                layer: layer, input: input.values, batch: input.batch, decoder: decoder)
        }
        return input.tokens.map { weights[$0] }
    }
}
