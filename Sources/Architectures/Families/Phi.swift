import ByteIO
import TensorIR

/// Phi 1 to 2: one LayerNorm for both halves, partly rotated heads, a plain feed-forward (Gunasekar et
/// al. 2023). Phi 3: Llama with fused matrices and LongRoPE (Abdin et al. 2024).
extension Family {
    static let phi = Family(
        "phi", className: "PhiForCausalLM", ggufArchitecture: "phi2",
        base: .withLayerNorm {
            $0.rotary = .unsetRotary
            $0.arrangement = .parallel
            $0.norms = [.attentionNorm, .outputNorm]
            $0.biases = [
                .attentionNorm, .outputNorm, .query, .key, .value, .attentionOutput, .up, .down,
                .output,
            ]
            $0.activation = .geluTanh
            $0.isGated = false
        },
        fields: .sizes() + [
            .epsilon("layer_norm_eps", otherwise: 1e-5), .rotary(partial: 0.5),
            .tied(otherwise: false), .activation("hidden_act", otherwise: .geluTanh),
            .flag("qk_layernorm", adds: [.queryNorm, .keyNorm], to: \.norms),
            .derived { description in
                let hasHeadNorms = description.norms.contains(.queryNorm)
                if hasHeadNorms { description.biases.formUnion([.queryNorm, .keyNorm]) }
            },
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output), TensorLayout("model.final_layernorm", .outputNorm),
            TensorLayout("model.embed_tokens", .tokenEmbedding),
            .layer("input_layernorm", .attentionNorm),
            .layer("self_attn.q_proj", .query), .layer("self_attn.k_proj", .key),
            .layer("self_attn.v_proj", .value), .layer("self_attn.dense", .attentionOutput),
            .layer("self_attn.q_layernorm", .queryNorm),
            .layer("self_attn.k_layernorm", .keyNorm),
            .layer("mlp.fc1", .up), .layer("mlp.fc2", .down),
        ],
        loader: Loader(needsOutput: true))

    static let phi3 = Family(
        "phi3", className: "Phi3ForCausalLM", ggufArchitecture: "phi3",
        base: .with { $0.rotary = .unsetRotary },
        fields: .sizes(contextLength: 4096) + [
            .epsilon("rms_norm_eps", otherwise: 1e-5), .rotary(), .tied(otherwise: false),
            .activation("hidden_act", otherwise: .silu), .window(),
        ],
        huggingFaceTensors: [
            TensorLayout("lm_head", .output), TensorLayout("model.norm", .outputNorm),
            TensorLayout("model.embed_tokens", .tokenEmbedding),
            .layer("input_layernorm", .attentionNorm),
            TensorLayout(
                "model.layers.{layer}.self_attn.qkv_proj", .stacked([.query, .key, .value])),
            .layer("self_attn.o_proj", .attentionOutput),
            .layer("post_attention_layernorm", .feedForwardNorm),
            TensorLayout("model.layers.{layer}.mlp.gate_up_proj", .stacked([.gate, .up])),
            .layer("mlp.down_proj", .down),
        ],
        ggufTensors: .gguf(fusesAttention: true, fusesGate: true, rotaryFactors: true),
        extraMetadata: { description in
            // Every converter writes it, scaled or not.
            guard case .longRoPE? = description.rotary?.scaling else {
                return [
                    "rope.scaling.original_context_length": .uint32(
                        UInt32(clamping: description.contextLength))
                ]
            }
            return [:]
        })
}
