import ByteIO
import TensorIR

/// The families whose heads are biased by distance (Press et al. 2022): BLOOM, MPT, and Falcon's first
/// models; the later Falcons rotate.
extension Family {
    static let bloom = Family(
        "bloom", className: "BloomForCausalLM", ggufArchitecture: "bloom",
        base: .withLayerNorm {
            $0.linearBias = DecoderDescription.LinearBias(maximum: 8)
            $0.norms.insert(.embeddingNorm)
            $0.biases.formUnion([
                .embeddingNorm, .query, .key, .value, .attentionOutput, .up, .down,
            ])
            $0.activation = .geluTanh
            $0.isGated = false
        },
        fields: [
            .count("hidden_size", "n_embed", to: \.hiddenSize),
            .layerCount("n_layer", "num_hidden_layers"),
            .count("n_head", "num_attention_heads", to: \.headCount),
            .derived { $0.feedForwardSize = 4 * $0.hiddenSize },
            .count("vocab_size", to: \.vocabularySize),
            .count("seq_length", to: \.contextLength) { _ in 2048 },
            .headsAlike, .epsilon("layer_norm_epsilon", otherwise: 1e-5), .tied(otherwise: true),
            .custom { configuration, description throws(ModelError) in
                let key = "apply_residual_connection_post_layernorm"
                let isNormed = try configuration.bool(key) ?? false
                description.arrangement = isNormed ? .normedStream : .sequential
            } write: { description in
                [
                    (
                        "apply_residual_connection_post_layernorm",
                        .bool(description.arrangement == .normedStream)
                    )
                ]
            },
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output),
            TensorLayout("transformer.word_embeddings", .tokenEmbedding),
            TensorLayout("transformer.word_embeddings_layernorm", .embeddingNorm),
            TensorLayout("transformer.ln_f", .outputNorm),
            .block("input_layernorm", .attentionNorm),
            TensorLayout(
                "transformer.h.{layer}.self_attention.query_key_value", .byKeyValueHead),
            .block("self_attention.dense", .attentionOutput),
            .block("post_attention_layernorm", .feedForwardNorm),
            .block("mlp.dense_h_to_4h", .up), .block("mlp.dense_4h_to_h", .down),
        ],
        ggufTensors: .gguf(fusesAttention: true))

    static let mpt = Family(
        "mpt", className: "MptForCausalLM", ggufArchitecture: "mpt",
        base: .with {
            $0.norm.kind = .layer
            $0.linearBias = DecoderDescription.LinearBias(maximum: 8)
            $0.activation = .gelu
            $0.isGated = false
        },
        fields: [
            .count("d_model", to: \.hiddenSize), .layerCount("n_layers"),
            .count("n_heads", to: \.headCount),
            .derived { $0.feedForwardSize = 4 * $0.hiddenSize },
            .count("vocab_size", to: \.vocabularySize),
            .count("max_seq_len", to: \.contextLength) { _ in 2048 },
            .headsAlike, .epsilon("layer_norm_epsilon", otherwise: 1e-5), .tied(otherwise: true),
            // Transformers biases by distance whether `alibi` says so or not.
            .only("attn_config.alibi_bias_max", 8),
            .only("attn_config.attn_type", "multihead_attention"),
            .custom { configuration, description throws(ModelError) in
                let clip = try configuration.number("attn_config.clip_qkv")
                let scale = try configuration.number("attn_config.softmax_scale")
                description.projectionClip = clip.flatMap { $0 > 0 ? Float($0) : nil }
                description.attentionScale = scale.map { Float($0) }
            } write: { description in
                [
                    (
                        "attn_config.clip_qkv",
                        description.projectionClip.map { .shortest($0) } ?? .null
                    ),
                    (
                        "attn_config.softmax_scale",
                        description.attentionScale.map { .shortest($0) } ?? .null
                    ),
                ]
            },
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output), TensorLayout("transformer.wte", .tokenEmbedding),
            TensorLayout("transformer.norm_f", .outputNorm),
            TensorLayout("transformer.blocks.{layer}.norm_1", .attentionNorm),
            TensorLayout(
                "transformer.blocks.{layer}.attn.Wqkv", .stacked([.query, .key, .value])),
            TensorLayout("transformer.blocks.{layer}.attn.out_proj", .attentionOutput),
            TensorLayout("transformer.blocks.{layer}.norm_2", .feedForwardNorm),
            TensorLayout("transformer.blocks.{layer}.ffn.up_proj", .up),
            TensorLayout("transformer.blocks.{layer}.ffn.down_proj", .down),
        ],
        ggufTensors: .gguf(fusesAttention: true))

    /// Falcon (Almazrouei et al. 2023), in its three layouts of queries, keys and values.
    static let falcon = Family(
        "falcon", className: "FalconForCausalLM", ggufArchitecture: "falcon",
        base: .withLayerNorm {
            $0.rotary = .unsetRotary
            $0.arrangement = .parallel
            $0.activation = .gelu
            $0.isGated = false
        },
        fields: [
            .count("hidden_size", to: \.hiddenSize),
            .layerCount("num_hidden_layers", "n_layer"),
            .count("num_attention_heads", "n_head", to: \.headCount),
            .count("ffn_hidden_size", to: \.feedForwardSize) { 4 * $0.hiddenSize },
            .count("vocab_size", to: \.vocabularySize),
            .count("max_position_embeddings", to: \.contextLength) { _ in 2048 },
            .headsAlike, .falconLayout, .epsilon("layer_norm_epsilon", otherwise: 1e-5),
            .tied(otherwise: true), .activation("activation", otherwise: .gelu),
            .flag(
                "bias", adds: [.query, .key, .value, .attentionOutput, .up, .down], to: \.biases),
            .rotary(),
            .custom { configuration, description throws(ModelError) in
                guard try configuration.bool("alibi") ?? false else { return }
                description.rotary = nil
                description.linearBias = DecoderDescription.LinearBias(
                    maximum: 8, isScaled: true, isRounded: true)
            } write: { description in
                [("alibi", .bool(description.linearBias != nil))]
            },
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output),
            TensorLayout("transformer.word_embeddings", .tokenEmbedding),
            TensorLayout("transformer.ln_f", .outputNorm),
            .block("ln_attn", .attentionNorm).when(\.hasTwoParallelNorms),
            .block("input_layernorm", .attentionNorm).when { !$0.hasTwoParallelNorms },
            TensorLayout(
                "transformer.h.{layer}.self_attention.query_key_value", .byKeyValueHead),
            .block("self_attention.dense", .attentionOutput),
            .block("ln_mlp", .feedForwardNorm).when(\.hasTwoParallelNorms),
            .block("post_attention_layernorm", .feedForwardNorm).when { !$0.hasTwoParallelNorms },
            .block("mlp.dense_h_to_4h", .up), .block("mlp.dense_4h_to_h", .down),
        ],
        ggufTensors: .gguf(fusesAttention: true).filter {
            ![[.attentionNorm], [.feedForwardNorm]].contains($0.modules)
        } + [
            TensorLayout("blk.{layer}.attn_norm_2", .attentionNorm).when(\.hasTwoParallelNorms),
            TensorLayout("blk.{layer}.attn_norm", .feedForwardNorm).when(\.hasTwoParallelNorms) {
                $0.contains("blk.0.attn_norm_2.weight")
            },
            TensorLayout("blk.{layer}.attn_norm", .attentionNorm).when({ !$0.hasTwoParallelNorms })
            {
                !$0.contains("blk.0.attn_norm_2.weight")
            },
            // llama.cpp has no Falcon whose halves follow each other.
            TensorLayout("blk.{layer}.ffn_norm", .feedForwardNorm).when {
                !$0.hasTwoParallelNorms
            },
        ],
        extraMetadata: { _ in ["tensor_data_layout": .string("jploski")] })
}

extension DecoderDescription {
    fileprivate var hasTwoParallelNorms: Bool {
        arrangement == .parallel && norms.contains(.feedForwardNorm)
    }
}

extension ConfigurationField {
    /// Which heads share keys, and which norms a layer has: three generations of Falcon.
    fileprivate static let falconLayout = ConfigurationField {
        configuration, description throws(ModelError) in
        let isNew = try configuration.bool("new_decoder_architecture") ?? false
        let isMultiQuery = try configuration.bool("multi_query") ?? true
        let isParallel = try configuration.bool("parallel_attn") ?? true
        let (newKey, oldKey) = (
            try configuration.count("num_kv_heads"), try configuration.count("n_head_kv")
        )
        let stated = newKey ?? oldKey
        guard isParallel || !isNew else {
            throw configuration.unsupported("parallel_attn", supported: "true")
        }
        description.keyValueHeadCount =
            isNew ? stated ?? description.headCount : isMultiQuery ? 1 : description.headCount
        description.arrangement = isParallel ? .parallel : .sequential
        let normCount = try configuration.count("num_ln_in_parallel_attn") ?? (isNew ? 2 : 1)
        if isParallel, !(isNew && normCount == 2) {
            description.norms.remove(.feedForwardNorm)
            description.biases.remove(.feedForwardNorm)
        }
    } write: { description in
        let (heads, shared) = (description.headCount, description.keyValueHeadCount)
        let isNew = description.hasTwoParallelNorms || (shared != 1 && shared != heads)
        return [
            ("new_decoder_architecture", .bool(isNew)),
            ("multi_query", .bool(!isNew && shared == 1)),
            ("parallel_attn", .bool(description.arrangement == .parallel)),
            ("num_kv_heads", .integer(shared)),
            ("num_ln_in_parallel_attn", .integer(description.hasTwoParallelNorms ? 2 : 1)),
        ]
    }
}
