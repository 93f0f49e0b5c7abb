import ByteIO
import TensorIR

/// A model family: how its configuration reads in both dialects and what its tensors are called.
///
/// Adding a family means adding one value of this type to `Family.all`.
public struct Family: Sendable {
    /// `model_type` values of Hugging Face configurations that this family covers.
    public let modelTypes: [String]
    /// `general.architecture` of GGUF.
    public let ggufArchitecture: String
    /// Class name that a written `config.json` states.
    public let className: String
    /// Every module's name in both dialects; `{}` stands for the layer's number.
    public let names: [Name]
    /// Which dimensions of a head GGUF pairs for the rotation; Hugging Face pairs halves.
    public let ggufPairing: RotaryEmbedding.Pairing

    let describeConfiguration: @Sendable (Configuration) throws(ModelError) -> DecoderDescription
    let describeMetadata: @Sendable (GGUFKeys) throws(ModelError) -> DecoderDescription
    let metadata: @Sendable (DecoderDescription) -> Metadata
    let configuration: @Sendable (DecoderDescription) throws(ModelError) -> [(String, JSON)]

    /// One module's name in both dialects, without `.weight` or `.bias`.
    public struct Name: Sendable {
        let module: TensorRole.Module
        /// Nil where the dialect has no such tensor.
        let huggingFace: String?
        let gguf: String?
    }

    public static let all: [Family] = [.llama]

    /// The name of a role's tensor, or nil where the dialect does not hold it.
    public func name(of role: TensorRole, in dialect: Checkpoint.Dialect) -> String? {
        guard let name = names.first(where: { $0.module == role.module }),
            let pattern = dialect == .gguf ? name.gguf : name.huggingFace
        else { return nil }
        let parts = pattern.split(separator: "{}", omittingEmptySubsequences: false)
        let base = parts.joined(separator: role.layer.map(String.init) ?? "")
        return "\(base).\(role.parameter.rawValue)"
    }

    /// The role of a tensor, or nil for a name that the family does not know.
    public func role(of tensorName: String, in dialect: Checkpoint.Dialect) -> TensorRole? {
        for parameter in [TensorRole.Parameter.weight, .bias] {
            guard tensorName.hasSuffix(".\(parameter.rawValue)") else { continue }
            let base = tensorName.dropLast(parameter.rawValue.count + 1)
            for name in names {
                guard let pattern = dialect == .gguf ? name.gguf : name.huggingFace else {
                    continue
                }
                if let layer = Family.match(base, pattern) {
                    return TensorRole(
                        name.module, layer: name.module.isInLayer ? layer : nil, parameter)
                }
            }
        }
        return nil
    }

    /// The layer's number that makes `pattern` read as `text`; 0 for a pattern without one.
    private static func match(_ text: Substring, _ pattern: String) -> Int? {
        guard let hole = pattern.firstRange(of: "{}") else { return text == pattern ? 0 : nil }
        let (prefix, suffix) = (pattern[..<hole.lowerBound], pattern[hole.upperBound...])
        guard text.hasPrefix(prefix), text.hasSuffix(suffix),
            text.count > prefix.count + suffix.count
        else { return nil }
        let digits = text.dropFirst(prefix.count).dropLast(suffix.count)
        // `Int` would also take "+1" and "01".
        guard let layer = Int(digits), String(layer) == digits, layer >= 0 else { return nil }
        return layer
    }
}
