import ByteIO
import TensorIR

extension Family {
    /// OPT: learned positions counted from 2, ReLU, norms before or after each half (Zhang et al. 2022).
    static let opt = Family(
        "opt", className: "OPTForCausalLM", ggufArchitecture: nil,
        base: .withLayerNorm {
            $0.absolutePositions = .learned(offset: 2)
            $0.activation = .relu
            $0.isGated = false
        },
        fields: [
            .count("hidden_size", to: \.hiddenSize),
            .count("word_embed_proj_dim", to: \.embeddingSize) { $0.hiddenSize },
            .layerCount("num_hidden_layers"), .count("num_attention_heads", to: \.headCount),
            .count("ffn_dim", to: \.feedForwardSize) { 4 * $0.hiddenSize },
            .count("vocab_size", to: \.vocabularySize),
            .count("max_position_embeddings", to: \.contextLength) { _ in 2048 },
            .headsAlike, .tied(otherwise: true),
            .activation("activation_function", otherwise: .relu),
            .flag(
                "enable_bias", adds: [.query, .key, .value, .attentionOutput, .up, .down],
                to: \.biases, otherwise: true),
            .custom { configuration, description throws(ModelError) in
                let isBefore = try configuration.bool("do_layer_norm_before") ?? true
                let isRemoved = try configuration.bool("_remove_final_layer_norm") ?? false
                description.arrangement = isBefore ? .sequential : .normAfterSum
                if !isBefore || isRemoved {
                    description.norms.remove(.outputNorm)
                    description.biases.remove(.outputNorm)
                }
                if try configuration.bool("layer_norm_elementwise_affine") == false {
                    description.norm.hasGain = false
                    description.biases.subtract(description.norms)
                }
            } write: { description in
                [
                    ("do_layer_norm_before", .bool(description.arrangement == .sequential)),
                    (
                        "_remove_final_layer_norm",
                        .bool(!description.norms.contains(.outputNorm))
                    ),
                    ("layer_norm_elementwise_affine", .bool(description.norm.hasGain)),
                ]
            },
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output),
            TensorLayout("model.decoder.embed_tokens", .tokenEmbedding),
            TensorLayout("model.decoder.embed_positions", .positionEmbedding),
            TensorLayout("model.decoder.project_in", .embeddingProjection),
            TensorLayout("model.decoder.project_out", .outputProjection),
            TensorLayout("model.decoder.final_layer_norm", .outputNorm),
            .decoder("self_attn_layer_norm", .attentionNorm),
            .decoder("self_attn.q_proj", .query), .decoder("self_attn.k_proj", .key),
            .decoder("self_attn.v_proj", .value),
            .decoder("self_attn.out_proj", .attentionOutput),
            .decoder("final_layer_norm", .feedForwardNorm),
            .decoder("fc1", .up), .decoder("fc2", .down),
        ])
}

extension TensorLayout {
    fileprivate static func decoder(_ name: String, _ module: TensorRole.Module) -> TensorLayout {
        TensorLayout("model.decoder.layers.{layer}.\(name)", module)
    }
}
