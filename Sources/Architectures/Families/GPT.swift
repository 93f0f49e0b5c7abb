import ByteIO
import TensorIR

/// GPT-2 and those after it: LayerNorm with biases, a plain feed-forward with GELU. GPT-2 and GPT-Neo
/// learn their positions (Radford et al. 2019, Black et al. 2021); GPT-J and GPT-NeoX rotate parts of the
/// heads and run both halves side by side (Wang and Komatsuzaki 2021, Black et al. 2022).
extension Family {
    static let gpt2 = Family(
        "gpt2", className: "GPT2LMHeadModel", ggufArchitecture: "gpt2",
        base: .withLayerNorm {
            $0.absolutePositions = .learned(offset: 0)
            $0.biases.formUnion([.query, .key, .value, .attentionOutput, .up, .down])
            $0.activation = .geluTanh
            $0.isGated = false
        },
        fields: gptSizes + [
            .count("n_positions", "n_ctx", to: \.contextLength) { _ in 1024 },
            .epsilon("layer_norm_epsilon", otherwise: 1e-5), .tied(otherwise: true),
            .activation("activation_function", otherwise: .geluTanh),
            .custom { configuration, description throws(ModelError) in
                let isScaled = try configuration.bool("scale_attn_weights") ?? true
                description.attentionScale = isScaled ? nil : 1
            } write: { description in
                [("scale_attn_weights", .bool(description.attentionScale == nil))]
            },
            .flag("scale_attn_by_inverse_layer_idx", to: \.dividesAttentionScaleByLayer),
            .refusing("add_cross_attention", otherThan: false),
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output), TensorLayout("transformer.wte", .tokenEmbedding),
            TensorLayout("transformer.wpe", .positionEmbedding),
            TensorLayout("transformer.ln_f", .outputNorm),
            .block("ln_1", .attentionNorm),
            TensorLayout(
                "transformer.h.{layer}.attn.c_attn", .stacked([.query, .key, .value])
            ).transposed,
            .block("attn.c_proj", .attentionOutput).transposed, .block("ln_2", .feedForwardNorm),
            .block("mlp.c_fc", .up).transposed, .block("mlp.c_proj", .down).transposed,
        ],
        ggufTensors: .gguf(fusesAttention: true),
        ignoredTensors: [".attn.bias", ".attn.masked_bias"])

    static let gptNeo = Family(
        "gpt_neo", className: "GPTNeoForCausalLM", ggufArchitecture: nil,
        base: .withLayerNorm {
            $0.absolutePositions = .learned(offset: 0)
            $0.biases.formUnion([.attentionOutput, .up, .down])
            $0.attentionScale = 1
            $0.activation = .geluTanh
            $0.isGated = false
        },
        fields: [
            .count("hidden_size", to: \.hiddenSize), .layerCount("num_layers"),
            .count("num_heads", to: \.headCount),
            .count("intermediate_size", to: \.feedForwardSize) { 4 * $0.hiddenSize },
            .count("vocab_size", to: \.vocabularySize),
            .count("max_position_embeddings", to: \.contextLength) { _ in 2048 },
            .headsAlike, .epsilon("layer_norm_epsilon", otherwise: 1e-5), .tied(otherwise: true),
            .activation("activation_function", otherwise: .geluTanh), .attentionTypes,
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output), TensorLayout("transformer.wte", .tokenEmbedding),
            TensorLayout("transformer.wpe", .positionEmbedding),
            TensorLayout("transformer.ln_f", .outputNorm),
            .block("ln_1", .attentionNorm),
            .block("attn.attention.q_proj", .query), .block("attn.attention.k_proj", .key),
            .block("attn.attention.v_proj", .value),
            .block("attn.attention.out_proj", .attentionOutput),
            .block("ln_2", .feedForwardNorm), .block("mlp.c_fc", .up), .block("mlp.c_proj", .down),
        ],
        ignoredTensors: [".attn.attention.bias", ".attn.attention.masked_bias"])

    static let gptJ = Family(
        "gptj", className: "GPTJForCausalLM", ggufArchitecture: "gptj",
        base: .withLayerNorm {
            $0.rotary = .unsetRotary
            $0.arrangement = .parallel
            $0.norms = [.attentionNorm, .outputNorm]
            $0.biases = [.attentionNorm, .outputNorm, .up, .down, .output]
            $0.activation = .geluTanh
            $0.isGated = false
        },
        fields: gptSizes + [
            .count("n_positions", to: \.contextLength) { _ in 2048 },
            .epsilon("layer_norm_epsilon", otherwise: 1e-5), .tied(otherwise: false),
            .activation("activation_function", otherwise: .geluTanh),
            .custom { configuration, description throws(ModelError) in
                if configuration.json["rotary_dim"]?.isNull == true {
                    throw configuration.unsupported("rotary_dim", supported: "a number")
                }
                description.rotary = RotaryEmbedding(
                    dimensionCount: try configuration.count("rotary_dim") ?? 64, base: 10_000,
                    pairing: .adjacent)
            } write: { description in
                [("rotary_dim", .integer(description.rotary?.dimensionCount ?? 0))]
            },
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output), TensorLayout("transformer.wte", .tokenEmbedding),
            TensorLayout("transformer.ln_f", .outputNorm), .block("ln_1", .attentionNorm),
            .block("attn.q_proj", .query), .block("attn.k_proj", .key),
            .block("attn.v_proj", .value), .block("attn.out_proj", .attentionOutput),
            .block("mlp.fc_in", .up), .block("mlp.fc_out", .down),
        ],
        huggingFacePairing: .adjacent, ggufPairing: .adjacent,
        ignoredTensors: [".attn.bias", ".attn.masked_bias"])

    static let gptNeoX = Family(
        "gpt_neox", className: "GPTNeoXForCausalLM", ggufArchitecture: "gptneox",
        base: .withLayerNorm {
            $0.rotary = .unsetRotary
            $0.biases.formUnion([.up, .down])
            $0.activation = .gelu
            $0.isGated = false
        },
        fields: .sizes() + [
            .epsilon("layer_norm_eps", otherwise: 1e-5),
            .rotary(baseKey: "rotary_emb_base", partialKey: "rotary_pct", partial: 0.25),
            .tied(otherwise: false), .activation("hidden_act", otherwise: .gelu),
            .flag(
                "attention_bias", adds: [.query, .key, .value, .attentionOutput], to: \.biases,
                otherwise: true),
            .parallel("use_parallel_residual", otherwise: true),
        ],
        huggingFaceTensors: [
            TensorLayout("embed_out", .output),
            TensorLayout("gpt_neox.embed_in", .tokenEmbedding),
            TensorLayout("gpt_neox.final_layer_norm", .outputNorm),
            TensorLayout("gpt_neox.layers.{layer}.input_layernorm", .attentionNorm),
            TensorLayout("gpt_neox.layers.{layer}.attention.query_key_value", .byKeyValueHead),
            TensorLayout("gpt_neox.layers.{layer}.attention.dense", .attentionOutput),
            TensorLayout("gpt_neox.layers.{layer}.post_attention_layernorm", .feedForwardNorm),
            TensorLayout("gpt_neox.layers.{layer}.mlp.dense_h_to_4h", .up),
            TensorLayout("gpt_neox.layers.{layer}.mlp.dense_4h_to_h", .down),
        ],
        ggufTensors: .gguf(fusesAttention: true),
        ignoredTensors: [".attention.bias", ".attention.masked_bias"],
        loader: Loader(needsOutput: true, neededBiases: [.query, .key, .value, .attentionOutput]),
        extraMetadata: { description in
            ["use_parallel_residual": .bool(description.arrangement == .parallel)]
        })

    private static let gptSizes: [ConfigurationField] = [
        .count("n_embd", "hidden_size", to: \.hiddenSize), .layerCount("n_layer"),
        .count("n_head", "num_attention_heads", to: \.headCount),
        .count("n_inner", to: \.feedForwardSize) { 4 * $0.hiddenSize },
        .count("vocab_size", to: \.vocabularySize), .headsAlike,
    ]
}

extension ConfigurationField {
    /// As many heads of keys and values as of queries, which together make the residual stream's width.
    static let headsAlike = ConfigurationField.derived { description in
        description.keyValueHeadCount = description.headCount
        description.headSize = description.hiddenSize / description.headCount
    }

    /// Whether the halves of a layer run side by side.
    static func parallel(_ key: String, otherwise: Bool) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            let isParallel = try configuration.bool(key) ?? otherwise
            description.arrangement = isParallel ? .parallel : .sequential
        } write: { description in
            [(key, .bool(description.arrangement == .parallel))]
        }
    }

    /// GPT-Neo's layers: `[[["global", "local"], 12]]` repeats the two kinds twelve times.
    fileprivate static let attentionTypes = ConfigurationField {
        configuration, description throws(ModelError) in
        var types: [String] = []
        let groups = configuration.json(at: "attention_types")?.array
        for group in groups ?? [.array([["global", "local"], .integer(description.layerCount)])] {
            guard let kinds = group.array?.first?.array?.compactMap(\.string), !kinds.isEmpty,
                let repeats = group.array?.last?.integer,
                (0...DecoderDescription.maximumLayerCount).contains(repeats),
                kinds.allSatisfy({ ["global", "local"].contains($0) })
            else {
                throw configuration.wrong(
                    "attention_types", "a list such as [[[\"global\", \"local\"], 12]]")
            }
            for _ in 0..<repeats where types.count < description.layerCount { types += kinds }
        }
        guard types.count >= description.layerCount else {
            throw ModelError(
                "config.json: 'attention_types' lists \(types.count) layers, the model has "
                    + "\(description.layerCount)")
        }
        let window = try configuration.count("window_size") ?? 256
        description.setWindow(window) { types[$0] == "local" }
    } write: { description in
        let kinds = description.layers.map { JSON.string($0.isWindowed ? "local" : "global") }
        return [
            ("attention_types", .array([.array([.array(kinds), 1])])),
            ("window_size", .integer(description.window ?? 256)),
        ]
    }
}

extension TensorLayout {
    /// A tensor of a layer, under the prefix that GPT-2's followers share.
    static func block(_ name: String, _ module: TensorRole.Module) -> TensorLayout {
        TensorLayout("transformer.h.{layer}.\(name)", module)
    }
}
