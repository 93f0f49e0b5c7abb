import ByteIO
import TensorIR

/// Families that share Llama's names and change its norms.
extension Family {
    /// StableLM: LayerNorm, partly rotated heads, both halves side by side where asked.
    static let stableLM = Family(
        "stablelm", className: "StableLmForCausalLM", ggufArchitecture: "stablelm",
        base: .withLayerNorm {
            $0.rotary = .unsetRotary
            $0.headNormScope = .ownHead
        },
        fields: .sizes(keyValueHeads: 32) + [
            .epsilon("layer_norm_eps", "norm_eps", otherwise: 1e-5),
            .rotary(partial: 0.25), .tied(otherwise: false),
            .activation("hidden_act", otherwise: .silu),
            .flag("use_qkv_bias", adds: [.query, .key, .value], to: \.biases),
            .flag("qk_layernorm", adds: [.queryNorm, .keyNorm], to: \.norms),
            .parallel("use_parallel_residual", otherwise: false),
            .derived { description in
                guard description.arrangement == .parallel else { return }
                description.norms.remove(.feedForwardNorm)
                description.biases.remove(.feedForwardNorm)
            },
        ],
        huggingFaceTensors: .llama(
            feedForward: .gated,
            besides: [
                TensorLayout(
                    "model.layers.{layer}.self_attn.q_layernorm.norms.{head}", .row(.queryNorm)),
                TensorLayout(
                    "model.layers.{layer}.self_attn.k_layernorm.norms.{head}", .row(.keyNorm)),
            ]),
        loader: Loader(needsOutput: true),
        completeMetadata: { _, description in
            let isSequential = description.norms.contains(.feedForwardNorm)
            description.arrangement = isSequential ? .sequential : .parallel
        },
        extraMetadata: { description in
            ["use_parallel_residual": .bool(description.arrangement == .parallel)]
        })

    /// StarCoder2: LayerNorm, biases, a plain feed-forward with GELU (Lozhkov et al. 2024).
    static let starCoder2 = Family(
        "starcoder2", className: "Starcoder2ForCausalLM", ggufArchitecture: "starcoder2",
        base: .withLayerNorm {
            $0.rotary = .unsetRotary
            $0.activation = .geluTanh
            $0.isGated = false
        },
        fields: .sizes(keyValueHeads: 2, contextLength: 4096) + [
            .epsilon("norm_epsilon", otherwise: 1e-5), .rotary(), .tied(otherwise: true),
            .activation("hidden_act", otherwise: .geluTanh),
            .flag(
                "use_bias", adds: [.query, .key, .value, .attentionOutput, .up, .down],
                to: \.biases, otherwise: true),
            .window(),
        ],
        huggingFaceTensors: .llama(feedForward: [
            .layer("mlp.c_fc", .up), .layer("mlp.c_proj", .down),
        ]),
        loader: Loader(neededBiases: [.query, .key, .value, .attentionOutput, .up, .down]))

    /// OLMo: norms without parameters, clamped projections (Groeneveld et al. 2024).
    static let olmo = Family(
        "olmo", className: "OlmoForCausalLM", ggufArchitecture: "olmo",
        base: .with {
            $0.rotary = .unsetRotary
            $0.norm.kind = .layer
            $0.norm.hasGain = false
        },
        fields: .sizes() + [
            .rotary(), .tied(otherwise: false), .activation("hidden_act", otherwise: .silu),
            .optionalNumber("clip_qkv", to: \.projectionClip), .attentionBias,
        ],
        huggingFaceTensors: .llama, ggufPairing: .adjacent)

    /// OLMo 2: norms after each half, and on whole queries and keys (OLMo Team 2024).
    static let olmo2 = Family(
        "olmo2", className: "Olmo2ForCausalLM", ggufArchitecture: "olmo2",
        base: .with {
            $0.rotary = .unsetRotary
            $0.norms = [
                .attentionPostNorm, .feedForwardPostNorm, .outputNorm, .queryNorm, .keyNorm,
            ]
            $0.headNormScope = .projection
        },
        fields: .sizes() + [
            .epsilon("rms_norm_eps", otherwise: 1e-5), .rotary(), .tied(otherwise: false),
            .activation("hidden_act", otherwise: .silu), .attentionBias,
        ],
        huggingFaceTensors: .llama(
            feedForward: .gated, postNorm: .attentionPostNorm,
            besides: .headNorms + [
                .layer("post_feedforward_layernorm", .feedForwardPostNorm)
            ]),
        loader: Loader(needsOutput: true))

    /// Command R: LayerNorm without biases, both halves side by side, scaled logits.
    static let cohere = Family(
        "cohere", className: "CohereForCausalLM", ggufArchitecture: "command-r",
        base: .with {
            $0.rotary = .unsetRotary
            $0.norm.kind = .layer
            $0.norms = [.attentionNorm, .outputNorm]
            $0.arrangement = .parallel
            $0.headNormScope = .ownHead
        },
        fields: .sizes(contextLength: 8192) + [
            .epsilon("layer_norm_eps", otherwise: 1e-5),
            .rotary(pairing: .adjacent, base: 500_000), .tied(otherwise: true),
            .activation("hidden_act", otherwise: .silu), .attentionBias,
            .number("logit_scale", to: \.logitScale, otherwise: 0.0625),
            .flag("use_qk_norm", adds: [.queryNorm, .keyNorm], to: \.norms),
        ],
        huggingFaceTensors: .llama(feedForward: .gated, besides: .headNorms),
        huggingFacePairing: .adjacent, ggufPairing: .adjacent,
        loader: Loader(alwaysTiesOutput: true),
        completeMetadata: { keys, description throws(ModelError) in
            description.logitScale = try keys.positive("logit_scale") ?? 1
        },
        extraMetadata: { description in
            var keys: [String: MetadataValue] = ["logit_scale": .float32(description.logitScale)]
            if description.rotary?.scaling == RotaryEmbedding.Scaling.none {
                keys["rope.scaling.type"] = .string("none")
            }
            return keys
        })
}
