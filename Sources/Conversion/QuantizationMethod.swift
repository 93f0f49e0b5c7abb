/// How the codes of a quantized model are chosen, as users spell it.
public enum QuantizationMethod: String, Sendable, Hashable, CaseIterable {
    /// Each weight by itself.
    case rtn
    /// Weights that make up for each other's errors.
    case gptq
    /// Channels scaled first, so that weights with large inputs are rounded more finely.
    case awq
    case awqGPTQ = "awq+gptq"

    public var usesAWQ: Bool { self == .awq || self == .awqGPTQ }
    public var usesGPTQ: Bool { self == .gptq || self == .awqGPTQ }
    public var needsCalibration: Bool { self != .rtn }
}
