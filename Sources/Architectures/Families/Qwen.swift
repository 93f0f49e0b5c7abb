import ByteIO
import TensorIR

/// Qwen2 and Qwen3: Llama with biases on queries, keys and values, then with norms on queries and keys;
/// each also as a mixture of experts (Yang et al. 2024, 2025).
extension Family {
    static let qwen2 = Family(
        "qwen2", className: "Qwen2ForCausalLM", ggufArchitecture: "qwen2",
        base: .with {
            $0.rotary = .unsetRotary
            $0.biases = [.query, .key, .value]
        },
        fields: .sizes() + qwen + [.windowsFromLayer],
        huggingFaceTensors: .llama)

    static let qwen2MoE = Family(
        "qwen2_moe", className: "Qwen2MoeForCausalLM", ggufArchitecture: "qwen2moe",
        base: .with {
            $0.rotary = .unsetRotary
            $0.experts = DecoderDescription.Experts()
            $0.experts?.isNormalized = false
        },
        fields: .sizes(keyValueHeads: 16) + qwen + [
            .flag("qkv_bias", adds: [.query, .key, .value], to: \.biases, otherwise: true),
            .windowedLayers(flag: "use_sliding_window") { configuration, layer throws(ModelError) in
                let limit = try configuration.maximumWindowLayers()
                return layer.isMultiple(of: 2) && layer < limit
            },
            .experts(count: ["num_experts"], countOtherwise: 60, usedOtherwise: 4),
            .qwenExperts(sharedKey: "shared_expert_intermediate_size"),
        ],
        huggingFaceTensors: .llama(
            feedForward: .gated,
            besides: .qwenExperts + [
                .layer("mlp.shared_expert_gate", .sharedRouter).oneRow,
                .layer("mlp.shared_expert.gate_proj", .sharedGate),
                .layer("mlp.shared_expert.up_proj", .sharedUp),
                .layer("mlp.shared_expert.down_proj", .sharedDown),
            ]),
        loader: Loader(needsOutput: true))

    static let qwen3 = Family(
        "qwen3", className: "Qwen3ForCausalLM", ggufArchitecture: "qwen3",
        base: .with {
            $0.rotary = .unsetRotary
            $0.norms.formUnion([.queryNorm, .keyNorm])
        },
        fields: .sizes(keyValueHeads: 32, headSize: 128) + qwen + [
            .attentionBias, .windowsFromLayer,
        ],
        huggingFaceTensors: .llama(feedForward: .gated, besides: .headNorms))

    static let qwen3MoE = Family(
        "qwen3_moe", className: "Qwen3MoeForCausalLM", ggufArchitecture: "qwen3moe",
        base: .with {
            $0.rotary = .unsetRotary
            $0.norms.formUnion([.queryNorm, .keyNorm])
            $0.experts = DecoderDescription.Experts()
        },
        fields: .sizes(keyValueHeads: 4) + qwen + [
            .attentionBias,
            .custom { configuration, description throws(ModelError) in
                let isUsed = try configuration.bool("use_sliding_window") ?? false
                let window = try configuration.window()
                description.setWindow(isUsed ? window : nil) { _ in true }
            } write: { description in
                [
                    ("use_sliding_window", .bool(description.window != nil)),
                    ("sliding_window", description.window.map { .integer($0) } ?? .null),
                ]
            },
            .experts(
                count: ["num_experts", "num_local_experts"], countOtherwise: 128, usedOtherwise: 8),
            .qwenExperts(sharedKey: nil),
        ],
        huggingFaceTensors: .llama(feedForward: .gated, besides: .headNorms + .qwenExperts))

    private static let qwen: [ConfigurationField] = [
        .epsilon("rms_norm_eps", otherwise: 1e-6), .rotary(), .tied(otherwise: false),
        .activation("hidden_act", otherwise: .silu),
    ]
}

extension Configuration {
    /// `max_window_layers`, which may be 0, unlike a count.
    fileprivate func maximumWindowLayers() throws(ModelError) -> Int {
        let key = "max_window_layers"
        guard let value = json(at: key) else { return 28 }
        guard let limit = value.integer, limit >= 0 else {
            throw wrong(key, "an integer from 0")
        }
        return limit
    }
}

extension ConfigurationField {
    /// Windows from the layer on that `max_window_layers` states.
    fileprivate static let windowsFromLayer = ConfigurationField.windowedLayers(
        flag: "use_sliding_window"
    ) { configuration, layer throws(ModelError) in
        try layer >= configuration.maximumWindowLayers()
    }

    /// Qwen's experts: their width, how their probabilities are scaled, and which layers have them.
    fileprivate static func qwenExperts(sharedKey: String?) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            description.experts?.feedForwardSize =
                try configuration.requiredCount("moe_intermediate_size")
            description.experts?.isNormalized = try configuration.bool("norm_topk_prob") ?? false
            if let sharedKey {
                description.experts?.sharedFeedForwardSize =
                    try configuration.requiredCount(sharedKey)
            }
            let step = try configuration.count("decoder_sparse_step") ?? 1
            let dense = Set(
                try configuration.list("mlp_only_layers", of: "integers", \.integer) ?? [])
            for layer in description.layers.indices {
                description.layers[layer].usesExperts =
                    !dense.contains(layer) && (layer + 1).isMultiple(of: step)
            }
        } write: { description in
            let dense = description.layers.indices.filter { !description.layers[$0].usesExperts }
            var members: [(key: String, value: JSON)] = [
                (
                    "moe_intermediate_size",
                    .integer(description.experts?.feedForwardSize ?? 0)
                ),
                ("norm_topk_prob", .bool(description.experts?.isNormalized ?? false)),
                ("decoder_sparse_step", 1),
                ("mlp_only_layers", .array(dense.map { .integer($0) })),
            ]
            if let sharedKey, let shared = description.experts?.sharedFeedForwardSize {
                members.append((sharedKey, .integer(shared)))
            }
            return members
        }
    }
}

extension [TensorLayout] {
    fileprivate static let qwenExperts: [TensorLayout] = [
        .layer("mlp.gate", .router),
        .layer("mlp.experts.{expert}.gate_proj", .gate),
        .layer("mlp.experts.{expert}.up_proj", .up),
        .layer("mlp.experts.{expert}.down_proj", .down),
    ]
}
