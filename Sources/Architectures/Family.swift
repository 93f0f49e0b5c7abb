import ByteIO
import TensorIR

/// A model family: what its configuration means in both dialects and what its tensors are called.
///
/// Adding a family means adding one value of this type to `Family.all`.
public struct Family: Sendable {
    /// `model_type` of Hugging Face configurations.
    public let modelType: String
    /// Class name that a written `config.json` states.
    public let className: String
    /// `general.architecture` of GGUF; nil where llama.cpp has none.
    public let ggufArchitecture: String?
    /// The choices that no key states.
    let base: DecoderDescription
    /// The keys of `config.json`, each after those that its default depends on.
    let fields: [ConfigurationField]
    /// The tensors of Hugging Face's files, in the order in which they are written.
    let huggingFaceTensors: [TensorLayout]
    let ggufTensors: [TensorLayout]
    /// Which dimensions of a head are paired for the rotation.
    let huggingFacePairing: RotaryEmbedding.Pairing
    let ggufPairing: RotaryEmbedding.Pairing
    /// Ends of names of Hugging Face tensors that the configuration makes superfluous.
    let ignoredTensors: [String]
    /// Whether the configuration can state a sliding window.
    let hasWindows: Bool
    /// Layers that have a window where no key lists them.
    let windowPattern: @Sendable (Int) -> Bool
    /// What llama.cpp's loader does with the architecture beyond what GGUF's keys and names say.
    let loader: Loader
    /// What llama.cpp knows of the architecture without a key that says it.
    let completeMetadata: @Sendable (GGUFKeys, inout DecoderDescription) throws(ModelError) -> Void
    /// Keys that llama.cpp wants besides the common ones.
    let extraMetadata: @Sendable (DecoderDescription) -> [String: MetadataValue]

    init(
        _ modelType: String, className: String, ggufArchitecture: String?,
        base: DecoderDescription, fields: [ConfigurationField],
        huggingFaceTensors: [TensorLayout], ggufTensors: [TensorLayout] = .gguf(),
        huggingFacePairing: RotaryEmbedding.Pairing = .halves,
        ggufPairing: RotaryEmbedding.Pairing = .halves, ignoredTensors: [String] = [],
        hasWindows: Bool = true,
        windowPattern: @escaping @Sendable (Int) -> Bool = { _ in true },
        loader: Loader = Loader(),
        completeMetadata:
            @escaping @Sendable (GGUFKeys, inout DecoderDescription) throws(ModelError) -> Void = {
                _, _ in
            },
        extraMetadata: @escaping @Sendable (DecoderDescription) -> [String: MetadataValue] = { _ in
            [:]
        }
    ) {
        self.modelType = modelType
        self.className = className
        self.ggufArchitecture = ggufArchitecture
        self.base = base
        self.fields = fields
        self.huggingFaceTensors = huggingFaceTensors
        self.ggufTensors = ggufTensors
        self.huggingFacePairing = huggingFacePairing
        self.ggufPairing = ggufPairing
        self.ignoredTensors = ignoredTensors
        self.hasWindows = hasWindows
        self.windowPattern = windowPattern
        self.loader = loader
        self.completeMetadata = completeMetadata
        self.extraMetadata = extraMetadata
    }

    /// What llama.cpp's loader does with an architecture beyond what GGUF's keys and names say.
    struct Loader: Sendable {
        /// Whether it wants an output matrix even where that is the embedding.
        var needsOutput = false
        /// Whether it takes the embedding for the output and finds no place for a matrix of its own.
        var alwaysTiesOutput = false
        /// The modules that it wants a bias for, zeros where the model has none.
        var neededBiases: [TensorRole.Module] = []
        /// Whether it applies sliding windows.
        var knowsWindows = false
    }

    public static let all: [Family] = [
        .llama, .mistral, .mixtral, .qwen2, .qwen2MoE, .qwen3, .qwen3MoE, .gemma, .gemma2, .gemma3,
        .phi, .phi3, .gpt2, .gptNeo, .gptJ, .gptNeoX, .bloom, .mpt, .falcon, .opt, .stableLM,
        .starCoder2, .olmo, .olmo2, .granite, .cohere, .smolLM3,
    ]

    func tensors(in dialect: Checkpoint.Dialect) -> [TensorLayout] {
        dialect == .gguf ? ggufTensors : huggingFaceTensors
    }

    func pairing(in dialect: Checkpoint.Dialect) -> RotaryEmbedding.Pairing {
        dialect == .gguf ? ggufPairing : huggingFacePairing
    }

    /// What the gains in a dialect's files leave out.
    func gainOffset(in dialect: Checkpoint.Dialect) -> Float {
        dialect == .gguf ? 0 : base.norm.gainOffset
    }

    /// The name of a role's tensor, or nil where the dialect does not hold it by itself.
    public func name(of role: TensorRole, in dialect: Checkpoint.Dialect) -> String? {
        for layout in tensors(in: dialect) where layout.modules.contains(role.module) {
            guard layout.holds(role) else { continue }
            return layout.name(
                of: TensorLayout.Instance(
                    layer: role.layer, index: role.expert, parameter: role.parameter))
        }
        return nil
    }
}

extension TensorLayout {
    /// Whether an instance of this kind of tensor holds the role, maybe among others.
    func holds(_ role: TensorRole) -> Bool {
        guard modules.contains(role.module) else { return false }
        switch content {
        case .whole: return pattern.contains("{expert}") == (role.expert != nil)
        case .experts: return role.expert != nil
        default: return role.expert == nil
        }
    }
}

extension [TensorLayout] {
    /// GGUF's names, which are the same for all architectures.
    ///
    /// - Parameters:
    ///   - fusesAttention: whether queries, keys and values are one matrix.
    ///   - fusesGate: whether gate and up are one matrix.
    ///   - rotaryFactors: whether llama.cpp takes divisors of the rotary frequencies.
    ///   - renamed: modules that an architecture calls otherwise.
    /// - Returns: the tensors, those outside the layers first.
    static func gguf(
        fusesAttention: Bool = false, fusesGate: Bool = false, rotaryFactors: Bool = false,
        renamed: [TensorRole.Module: String] = [:]
    ) -> [TensorLayout] {
        var layouts: [TensorLayout] = []
        for (module, name) in TensorRole.Module.ggufNames {
            let name = renamed[module] ?? name
            switch module {
            case .rotaryFactors, .rotaryFactorsShort, .rotaryFactorsLong:
                guard rotaryFactors else { continue }
            case .query, .key, .value:
                guard !fusesAttention else { continue }
            case .gate, .up:
                layouts.append(TensorLayout("blk.{layer}.\(name)_exps", .experts(module)))
                guard !fusesGate else { continue }
            case .down:
                layouts.append(TensorLayout("blk.{layer}.\(name)_exps", .experts(module)))
            default: break
            }
            layouts.append(
                TensorLayout(module.isInLayer ? "blk.{layer}.\(name)" : name, module))
        }
        if fusesAttention {
            layouts.append(TensorLayout("blk.{layer}.attn_qkv", .stacked([.query, .key, .value])))
        }
        if fusesGate { layouts.append(TensorLayout("blk.{layer}.ffn_up", .stacked([.gate, .up]))) }
        return layouts
    }
}

extension TensorRole.Module {
    /// What GGUF calls the modules, without the layer's prefix.
    fileprivate static let ggufNames: KeyValuePairs<TensorRole.Module, String> = [
        .tokenEmbedding: "token_embd", .positionEmbedding: "position_embd",
        .embeddingNorm: "token_embd_norm", .outputNorm: "output_norm", .output: "output",
        .rotaryFactors: "rope_freqs", .rotaryFactorsShort: "rope_factors_short",
        .rotaryFactorsLong: "rope_factors_long",
        .attentionNorm: "attn_norm", .query: "attn_q", .key: "attn_k", .value: "attn_v",
        .queryNorm: "attn_q_norm", .keyNorm: "attn_k_norm", .attentionOutput: "attn_output",
        .attentionPostNorm: "post_attention_norm", .feedForwardNorm: "ffn_norm",
        .gate: "ffn_gate", .up: "ffn_up", .down: "ffn_down", .feedForwardPostNorm: "post_ffw_norm",
        .router: "ffn_gate_inp", .sharedGate: "ffn_gate_shexp", .sharedUp: "ffn_up_shexp",
        .sharedDown: "ffn_down_shexp", .sharedRouter: "ffn_gate_inp_shexp",
    ]
}
