import ByteIO
import TensorIR

/// Llama and the families that differ from it in a few numbers: RMSNorm before each half, rotary
/// positions, grouped-query attention, a gated feed-forward with SiLU (Touvron et al. 2023).
extension Family {
    static let llama = Family(
        "llama", className: "LlamaForCausalLM", ggufArchitecture: "llama",
        base: .with { $0.rotary = .unsetRotary },
        fields: .sizes() + [
            .epsilon("rms_norm_eps", otherwise: 1e-6), .rotary(), .tied(otherwise: false),
            .activation("hidden_act", otherwise: .silu), .attentionBias, .feedForwardBias,
        ],
        huggingFaceTensors: .llama, ggufTensors: .gguf(rotaryFactors: true),
        ggufPairing: .adjacent, hasWindows: false)

    /// Mistral: Llama with a sliding window (Jiang et al. 2023).
    static let mistral = Family(
        "mistral", className: "MistralForCausalLM", ggufArchitecture: "llama",
        base: .with { $0.rotary = .unsetRotary },
        fields: .sizes(keyValueHeads: 8) + [
            .epsilon("rms_norm_eps", otherwise: 1e-6), .rotary(), .tied(otherwise: false),
            .activation("hidden_act", otherwise: .silu), .window(otherwise: 4096),
        ],
        huggingFaceTensors: .llama, ggufTensors: .gguf(rotaryFactors: true),
        ggufPairing: .adjacent)

    /// Mixtral: Mistral with a mixture of experts (Jiang et al. 2024).
    static let mixtral = Family(
        "mixtral", className: "MixtralForCausalLM", ggufArchitecture: "llama",
        base: .with {
            $0.rotary = .unsetRotary
            $0.experts = DecoderDescription.Experts()
        },
        fields: .sizes(keyValueHeads: 8) + [
            .epsilon("rms_norm_eps", otherwise: 1e-5), .rotary(base: 1e6),
            .tied(otherwise: false), .activation("hidden_act", otherwise: .silu), .window(),
            .experts(count: ["num_local_experts"], countOtherwise: 8),
            .derived { description in
                description.experts?.feedForwardSize = description.feedForwardSize
                for layer in description.layers.indices {
                    description.layers[layer].usesExperts = true
                }
            },
        ],
        huggingFaceTensors: .llama(feedForward: [
            .layer("block_sparse_moe.gate", .router),
            .layer("block_sparse_moe.experts.{expert}.w1", .gate),
            .layer("block_sparse_moe.experts.{expert}.w2", .down),
            .layer("block_sparse_moe.experts.{expert}.w3", .up),
        ]),
        ggufTensors: .gguf(rotaryFactors: true), ggufPairing: .adjacent)

    /// Granite: Llama with multipliers on embedding, attention, residual stream and logits.
    static let granite = Family(
        "granite", className: "GraniteForCausalLM", ggufArchitecture: "granite",
        base: .with { $0.rotary = .unsetRotary },
        fields: .sizes() + [
            .epsilon("rms_norm_eps", otherwise: 1e-6), .rotary(), .tied(otherwise: false),
            .activation("hidden_act", otherwise: .silu), .attentionBias, .feedForwardBias,
            .number("embedding_multiplier", to: \.embeddingScale, otherwise: 1),
            .number("residual_multiplier", to: \.residualScale, otherwise: 1),
            .optionalNumber("attention_multiplier", to: \.attentionScale, otherwise: 1),
            .reciprocal("logits_scaling", to: \.logitScale, otherwise: 1),
        ],
        huggingFaceTensors: .llama, ggufTensors: .gguf(rotaryFactors: true),
        ggufPairing: .adjacent,
        completeMetadata: { keys, description throws(ModelError) in
            description.embeddingScale = try keys.positive("embedding_scale") ?? 1
            description.residualScale = try keys.positive("residual_scale") ?? 1
            description.attentionScale = try keys.positive("attention.scale")
            description.logitScale = 1 / (try keys.positive("logit_scale") ?? 1)
        },
        extraMetadata: { description in
            [
                "embedding_scale": .float32(description.embeddingScale),
                "residual_scale": .float32(description.residualScale),
                "attention.scale": .float32(description.attentionScale ?? 0),
                "logit_scale": .float32(1 / description.logitScale),
            ]
        })

    /// SmolLM3: Llama without positions in every fourth layer (Yang et al. 2025).
    static let smolLM3 = Family(
        "smollm3", className: "SmolLM3ForCausalLM", ggufArchitecture: "smollm3",
        base: .with { $0.rotary = .unsetRotary },
        fields: .sizes(keyValueHeads: 4) + [
            .epsilon("rms_norm_eps", otherwise: 1e-6), .rotary(base: 2e6), .tied(otherwise: true),
            .activation("hidden_act", otherwise: .silu), .attentionBias, .feedForwardBias,
            .custom { configuration, description throws(ModelError) in
                let interval = try configuration.count("no_rope_layer_interval") ?? 4
                let rotated = try configuration.list("no_rope_layers", of: "0 and 1", \.integer)
                if let rotated, rotated.count != description.layerCount {
                    throw ModelError(
                        "config.json: 'no_rope_layers' lists \(rotated.count) layers, the model "
                            + "has \(description.layerCount)")
                }
                for layer in description.layers.indices {
                    description.layers[layer].isRotated =
                        rotated.map { $0[layer] != 0 } ?? !(layer + 1).isMultiple(of: interval)
                }
            } write: { description in
                [
                    (
                        "no_rope_layers",
                        .array(description.layers.map { .integer($0.isRotated ? 1 : 0) })
                    )
                ]
            },
            .windowedLayers(flag: "use_sliding_window") { configuration, layer throws(ModelError) in
                let rotated = try configuration.list("no_rope_layers", of: "0 and 1", \.integer)
                let interval = try configuration.count("no_rope_layer_interval") ?? 4
                return rotated.map { $0[layer] == 0 } ?? (layer + 1).isMultiple(of: interval)
            },
        ],
        huggingFaceTensors: .llama, ggufPairing: .adjacent,
        completeMetadata: { _, description in
            for layer in description.layers.indices {
                description.layers[layer].isRotated = !(layer + 1).isMultiple(of: 4)
            }
        })
}

extension ConfigurationField {
    /// How many experts there are and how many each token visits.
    static func experts(
        count keys: [String], countOtherwise: Int, usedOtherwise: Int = 2
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            var count = countOtherwise
            for key in keys {
                guard let found = try configuration.count(key) else { continue }
                guard found <= DecoderDescription.maximumExpertCount else {
                    throw configuration.wrong(
                        key, "an integer from 1 to \(DecoderDescription.maximumExpertCount)")
                }
                count = found
                break
            }
            description.experts?.count = count
            description.experts?.usedCount =
                try configuration.count("num_experts_per_tok") ?? usedOtherwise
        } write: { description in
            [
                (keys[0], .integer(description.experts?.count ?? 0)),
                ("num_experts_per_tok", .integer(description.experts?.usedCount ?? 0)),
            ]
        }
    }
}

extension GGUFKeys {
    /// A number above 0; llama.cpp takes 0 for one that is not there.
    func positive(_ key: String) throws(ModelError) -> Float? {
        guard let number = try number(key), number > 0 else { return nil }
        return Float(number)
    }
}

extension TensorLayout {
    /// A tensor of a layer, under the prefix that most families share.
    static func layer(_ name: String, _ module: TensorRole.Module) -> TensorLayout {
        TensorLayout("model.layers.{layer}.\(name)", module)
    }
}

extension [TensorLayout] {
    static let llama = llama(feedForward: .gated)

    /// A gated feed-forward's three matrices.
    static let gated: [TensorLayout] = [
        .layer("mlp.gate_proj", .gate), .layer("mlp.up_proj", .up),
        .layer("mlp.down_proj", .down),
    ]

    /// Llama's names, with another feed-forward or tensors besides.
    static func llama(
        feedForward: [TensorLayout], postNorm: TensorRole.Module = .feedForwardNorm,
        besides others: [TensorLayout] = []
    ) -> [TensorLayout] {
        [
            TensorLayout("lm_head", .output), TensorLayout("model.norm", .outputNorm),
            TensorLayout("model.embed_tokens", .tokenEmbedding),
            .layer("input_layernorm", .attentionNorm),
            .layer("self_attn.q_proj", .query), .layer("self_attn.k_proj", .key),
            .layer("self_attn.v_proj", .value), .layer("self_attn.o_proj", .attentionOutput),
            .layer("post_attention_layernorm", postNorm),
        ] + feedForward + others
    }

    /// One gain vector for all query heads and one for all key heads.
    static let headNorms: [TensorLayout] = [
        .layer("self_attn.q_norm", .queryNorm), .layer("self_attn.k_norm", .keyNorm),
    ]
}
