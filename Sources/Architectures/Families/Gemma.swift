import ByteIO
import TensorIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Gemma 1 to 3: gains stored less one, embeddings scaled by √hidden_size, GELU gates; then norms after
/// each half, capped scores and alternating windows; then norms on queries and keys and a smaller
/// rotary base in the windowed layers (Gemma Team 2024, 2025).
extension Family {
    static let gemma = Family(
        "gemma", className: "GemmaForCausalLM", ggufArchitecture: "gemma",
        base: gemmaBase { _ in },
        fields: .sizes(keyValueHeads: 16, headSize: 256, contextLength: 8192) + [
            // Old configurations state `gelu` and mean its approximation.
            .custom { configuration, _ throws(ModelError) in
                for key in ["hidden_activation", "hidden_act"] {
                    guard let name = try configuration.string(key) else { continue }
                    guard name.hasPrefix("gelu") else {
                        throw configuration.unsupported(key, supported: "gelu_pytorch_tanh")
                    }
                }
            } write: { _ in
                [("hidden_act", "gelu_pytorch_tanh"), ("hidden_activation", "gelu_pytorch_tanh")]
            },
            .epsilon("rms_norm_eps", otherwise: 1e-6), .rotary(), .tied(otherwise: true),
            .attentionBias, .scaledEmbedding,
        ],
        huggingFaceTensors: .llama,
        loader: Loader(alwaysTiesOutput: true),
        completeMetadata: { _, description in
            description.embeddingScale = Float(description.hiddenSize).squareRoot()
        })

    static let gemma2 = Family(
        "gemma2", className: "Gemma2ForCausalLM", ggufArchitecture: "gemma2",
        base: gemmaBase {
            $0.norms.formUnion([.attentionPostNorm, .feedForwardPostNorm])
        },
        fields: .sizes(keyValueHeads: 4, headSize: 256, contextLength: 8192) + laterGemma + [
            .rotary(),
            .optionalNumber("attn_logit_softcapping", to: \.attentionSoftcap, otherwise: 50),
            .optionalNumber("final_logit_softcapping", to: \.logitSoftcap, otherwise: 30),
            .windowedLayers(otherwise: 4096) { _, layer in layer.isMultiple(of: 2) },
        ],
        huggingFaceTensors: .llama(
            feedForward: .gated, postNorm: .attentionPostNorm, besides: .gemmaNorms),
        windowPattern: { $0.isMultiple(of: 2) },
        loader: Loader(alwaysTiesOutput: true, knowsWindows: true),
        completeMetadata: { keys, description throws(ModelError) in
            description.completeGemma()
            if description.window == nil {
                description.setWindow(4096) { $0.isMultiple(of: 2) }
            }
            // llama.cpp always caps; a cap that nothing reaches is none.
            let (attention, final) = (description.attentionSoftcap, description.logitSoftcap)
            description.attentionSoftcap = (attention ?? 50) >= uncapped ? nil : attention ?? 50
            description.logitSoftcap = (final ?? 30) >= uncapped ? nil : final ?? 30
        },
        extraMetadata: { description in
            [
                "attn_logit_softcapping": .float32(description.attentionSoftcap ?? uncapped),
                "final_logit_softcapping": .float32(description.logitSoftcap ?? uncapped),
            ]
        })

    static let gemma3 = Family(
        "gemma3_text", className: "Gemma3ForCausalLM", ggufArchitecture: "gemma3",
        base: gemmaBase {
            $0.norms.formUnion([
                .attentionPostNorm, .feedForwardPostNorm, .queryNorm, .keyNorm,
            ])
            $0.windowedRotary = .unsetRotary
        },
        fields: .sizes(keyValueHeads: 4, headSize: 256, contextLength: 131_072) + laterGemma + [
            .localAndGlobalRotary,
            .optionalNumber("final_logit_softcapping", to: \.logitSoftcap),
            .windowedLayers(otherwise: 4096) { configuration, layer throws(ModelError) in
                let old = try configuration.count("sliding_window_pattern")
                let new = try configuration.count("_sliding_window_pattern")
                return !(layer + 1).isMultiple(of: old ?? new ?? 6)
            },
            .refusing("use_bidirectional_attention", otherThan: false),
        ],
        huggingFaceTensors: .llama(
            feedForward: .gated, postNorm: .attentionPostNorm,
            besides: .gemmaNorms + .headNorms),
        windowPattern: { !($0 + 1).isMultiple(of: 6) }, loader: Loader(knowsWindows: true),
        completeMetadata: { keys, description throws(ModelError) in
            description.completeGemma()
            description.windowedRotary = RotaryEmbedding(
                dimensionCount: description.rotary?.dimensionCount ?? description.headSize,
                base: try keys.number("rope.freq_base_swa") ?? 10_000, pairing: .halves)
        },
        extraMetadata: { description in
            ["rope.freq_base_swa": .float32(Float(description.windowedRotary?.base ?? 10_000))]
        })

    private static let uncapped: Float = 1e30

    private static func gemmaBase(
        _ choose: (inout DecoderDescription) -> Void
    ) -> DecoderDescription {
        .with {
            $0.norm.gainOffset = 1
            $0.activation = .geluTanh
            $0.rotary = .unsetRotary
            $0.headSize = 256
            choose(&$0)
        }
    }

    private static let laterGemma: [ConfigurationField] = [
        .activation("hidden_activation", otherwise: .geluTanh),
        .epsilon("rms_norm_eps", otherwise: 1e-6), .tied(otherwise: true), .attentionBias,
        .scaledEmbedding,
        .custom { configuration, description throws(ModelError) in
            let scalar = try configuration.number("query_pre_attn_scalar") ?? 256
            guard scalar > 0 else {
                throw configuration.wrong("query_pre_attn_scalar", "a positive number")
            }
            let scale = 1 / Float(scalar).squareRoot()
            description.attentionScale =
                scalar == Double(description.headSize) ? nil : scale
        } write: { description in
            guard let scale = description.attentionScale else {
                return [("query_pre_attn_scalar", .integer(description.headSize))]
            }
            let scalar = 1 / (Double(scale) * Double(scale))
            let whole = scalar.rounded()
            let isWhole = 1 / Float(whole).squareRoot() == scale
            guard isWhole, let count = Int(exactly: whole) else {
                return [("query_pre_attn_scalar", .number(scalar))]
            }
            // transformers takes no `24.0` here.
            return [("query_pre_attn_scalar", .integer(count))]
        },
    ]
}

extension DecoderDescription {
    fileprivate mutating func completeGemma() {
        embeddingScale = Float(hiddenSize).squareRoot()
    }
}

extension ConfigurationField {
    fileprivate static let scaledEmbedding = ConfigurationField.derived { description in
        description.embeddingScale = Float(description.hiddenSize).squareRoot()
    }

    /// One rotary embedding for the layers that see everything and one for those with a window, in both
    /// dialects.
    fileprivate static let localAndGlobalRotary = ConfigurationField {
        configuration, description throws(ModelError) in
        let key = "rope_parameters"
        let global = try configuration.object("\(key).full_attention")
        let local = try configuration.object("\(key).sliding_attention")
        let isVersion5 = !global.json.isNull
        let (inner, outer) = (
            try global.number("rope_theta"), try configuration.number("rope_theta")
        )
        let (innerLocal, outerLocal) = (
            try local.number("rope_theta"), try configuration.number("rope_local_base_freq")
        )
        let globalBase = inner ?? outer ?? 1_000_000
        let localBase = innerLocal ?? outerLocal ?? 10_000
        guard globalBase > 0, localBase > 0 else {
            throw configuration.wrong("rope_theta", "a positive number")
        }
        let scaling = try configuration.object(
            isVersion5 ? "\(key).full_attention" : "rope_scaling")
        description.rotary = RotaryEmbedding(
            dimensionCount: description.headSize, base: globalBase, pairing: .halves,
            scaling: try configuration.rotaryScaling(
                scaling, key: isVersion5 ? "\(key).full_attention" : "rope_scaling", description))
        description.windowedRotary = RotaryEmbedding(
            dimensionCount: description.headSize, base: localBase, pairing: .halves,
            scaling: try configuration.rotaryScaling(
                local, key: "\(key).sliding_attention", description))
    } write: { description throws(ModelError) in
        guard let global = description.rotary, let local = description.windowedRotary else {
            return []
        }
        // Only the dialect of transformers 5 can scale both.
        var members: [(key: String, value: JSON)] = [
            ("rope_theta", .number(global.base)),
            ("rope_local_base_freq", .number(local.base)),
            ("rope_scaling", try global.huggingFaceScaling()),
        ]
        for (name, rotary) in [("full_attention", global), ("sliding_attention", local)] {
            var parameters = try rotary.huggingFaceScaling().object ?? ["rope_type": "default"]
            parameters["rope_theta"] = .number(rotary.base)
            members.append(("rope_parameters.\(name)", .object(parameters)))
        }
        return members
    }
}

extension [TensorLayout] {
    fileprivate static let gemmaNorms: [TensorLayout] = [
        .layer("pre_feedforward_layernorm", .feedForwardNorm),
        .layer("post_feedforward_layernorm", .feedForwardPostNorm),
    ]
}
