/// What a weight matrix or vector is for, whatever a file calls it and packs it with.
public struct TensorRole: Sendable, Hashable {
    /// The module of the decoder that the tensor belongs to.
    public enum Module: String, Sendable, Hashable, CaseIterable {
        case tokenEmbedding
        /// One row for each position that the model can count to.
        case positionEmbedding
        case embeddingNorm
        /// From a narrower token embedding to the residual stream.
        case embeddingProjection
        case outputNorm
        /// From the residual stream to the width of a narrower token embedding.
        case outputProjection
        case output
        /// What the rotary frequencies are divided by; GGUF holds it as a tensor, Hugging Face computes it.
        case rotaryFactors
        /// The divisors of LongRoPE, for sequences within the original context and beyond it.
        case rotaryFactorsShort, rotaryFactorsLong

        case attentionNorm, query, key, value, queryNorm, keyNorm, attentionOutput,
            attentionPostNorm
        case feedForwardNorm, gate, up, down, feedForwardPostNorm
        /// Scores of the experts of a mixture.
        case router
        /// The expert that every token visits, and the score that it is weighted by.
        case sharedGate, sharedUp, sharedDown, sharedRouter
    }

    public enum Parameter: String, Sendable, Hashable {
        case weight, bias
    }

    public var module: Module
    /// The decoder layer, counted from 0; nil for what stands outside of them.
    public var layer: Int?
    /// The expert of a mixture, counted from 0; nil for what all tokens share.
    public var expert: Int?
    public var parameter: Parameter

    public init(
        _ module: Module, layer: Int? = nil, expert: Int? = nil, _ parameter: Parameter = .weight
    ) {
        (self.module, self.layer, self.parameter) = (module, layer, parameter)
        self.expert = expert
    }
}

extension TensorRole.Module {
    /// Whether the module multiplies its input by a matrix, inside a decoder layer.
    public var isLinear: Bool {
        switch self {
        case .query, .key, .value, .attentionOutput, .gate, .up, .down, .sharedGate, .sharedUp,
            .sharedDown:
            true
        default: false
        }
    }

    /// Whether the module stands once in every layer.
    public var isInLayer: Bool {
        switch self {
        case .tokenEmbedding, .positionEmbedding, .embeddingNorm, .embeddingProjection, .outputNorm,
            .outputProjection, .output, .rotaryFactors, .rotaryFactorsShort, .rotaryFactorsLong:
            false
        default: true
        }
    }

    /// Whether the module scales what it has brought to unit size.
    public var isNorm: Bool {
        switch self {
        case .embeddingNorm, .outputNorm, .attentionNorm, .queryNorm, .keyNorm, .attentionPostNorm,
            .feedForwardNorm, .feedForwardPostNorm:
            true
        default: false
        }
    }
}
