/// What a tensor is for, whatever a file calls it.
public struct TensorRole: Sendable, Hashable {
    /// The module of the decoder that the tensor belongs to.
    public enum Module: String, Sendable, Hashable, CaseIterable {
        case tokenEmbedding, outputNorm, output
        /// What the rotary frequencies are divided by; GGUF holds it as a tensor, Hugging Face computes it.
        case rotaryFactors
        case attentionNorm, query, key, value, attentionOutput
        case feedForwardNorm, gate, up, down
    }

    public enum Parameter: String, Sendable, Hashable {
        case weight, bias
    }

    public var module: Module
    /// The decoder layer, counted from 0; nil for what stands outside of them.
    public var layer: Int?
    public var parameter: Parameter

    public init(_ module: Module, layer: Int? = nil, _ parameter: Parameter = .weight) {
        (self.module, self.layer, self.parameter) = (module, layer, parameter)
    }
}

extension TensorRole.Module {
    /// Whether the module multiplies its input by a matrix, inside a decoder layer.
    public var isLinear: Bool {
        switch self {
        case .query, .key, .value, .attentionOutput, .gate, .up, .down: true
        default: false
        }
    }

    /// Whether the module stands once in every layer.
    public var isInLayer: Bool {
        switch self {
        case .tokenEmbedding, .outputNorm, .output, .rotaryFactors: false
        default: true
        }
    }
}
