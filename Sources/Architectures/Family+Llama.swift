import ByteIO
import TensorIR

extension Family {
    /// Llama 1 to 3, Mistral without a sliding window, TinyLlama, SmolLM2: RMSNorm before each half,
    /// rotary positions, grouped-query attention, a gated feed-forward with SiLU (Touvron et al. 2023).
    static let llama = Family(
        modelTypes: ["llama", "mistral"],
        ggufArchitecture: "llama",
        className: "LlamaForCausalLM",
        names: [
            Name(module: .output, huggingFace: "lm_head", gguf: "output"),
            Name(module: .outputNorm, huggingFace: "model.norm", gguf: "output_norm"),
            Name(module: .rotaryFactors, huggingFace: nil, gguf: "rope_freqs"),
            Name(
                module: .tokenEmbedding, huggingFace: "model.embed_tokens", gguf: "token_embd"),
            layer(.attentionNorm, "input_layernorm", "attn_norm"),
            layer(.query, "self_attn.q_proj", "attn_q"),
            layer(.key, "self_attn.k_proj", "attn_k"),
            layer(.value, "self_attn.v_proj", "attn_v"),
            layer(.attentionOutput, "self_attn.o_proj", "attn_output"),
            layer(.feedForwardNorm, "post_attention_layernorm", "ffn_norm"),
            layer(.gate, "mlp.gate_proj", "ffn_gate"),
            layer(.up, "mlp.up_proj", "ffn_up"),
            layer(.down, "mlp.down_proj", "ffn_down"),
        ],
        ggufPairing: .adjacent,
        describeConfiguration: describe(configuration:),
        describeMetadata: describe(keys:),
        metadata: llamaMetadata,
        configuration: llamaConfiguration)

    private static func layer(
        _ module: TensorRole.Module, _ huggingFace: String, _ gguf: String
    ) -> Name {
        Name(module: module, huggingFace: "model.layers.{}.\(huggingFace)", gguf: "blk.{}.\(gguf)")
    }

    private static func describe(
        configuration: Configuration
    ) throws(ModelError) -> DecoderDescription {
        if let activation = try configuration.string("hidden_act"), activation != "silu" {
            throw configuration.unsupported("hidden_act", supported: "supported: \"silu\"")
        }
        if let window = configuration.json["sliding_window"], !window.isNull {
            throw configuration.unsupported("sliding_window", supported: "supported: null")
        }
        let hiddenSize = try configuration.requiredCount("hidden_size")
        let headCount = try configuration.requiredCount("num_attention_heads")
        let headSize = try configuration.count("head_dim") ?? hiddenSize / headCount
        let keyValueHeadCount = try configuration.count("num_key_value_heads") ?? headCount
        let description = DecoderDescription(
            layerCount: try configuration.requiredCount("num_hidden_layers"),
            hiddenSize: hiddenSize,
            feedForwardSize: try configuration.requiredCount("intermediate_size"),
            headCount: headCount,
            keyValueHeadCount: keyValueHeadCount,
            headSize: headSize,
            vocabularySize: try configuration.requiredCount("vocab_size"),
            contextLength: try configuration.count("max_position_embeddings") ?? 2048,
            normEpsilon: Float(try configuration.number("rms_norm_eps") ?? 1e-6),
            rotary: try configuration.rotaryEmbedding(headSize: headSize, defaultBase: 10_000),
            isOutputTied: try configuration.bool("tie_word_embeddings") ?? false)
        try check(description)
        return description
    }

    private static func describe(keys: GGUFKeys) throws(ModelError) -> DecoderDescription {
        let hiddenSize = try keys.requiredCount("embedding_length")
        let headCount = try keys.requiredCount("attention.head_count")
        let headSize = try keys.count("attention.key_length") ?? hiddenSize / headCount
        if let expertCount = try keys.count("expert_count") {
            throw ModelError(
                "key 'llama.expert_count' is \(expertCount): mixtures of experts are not supported")
        }
        if let valueSize = try keys.count("attention.value_length"), valueSize != headSize {
            throw ModelError(
                "key 'llama.attention.value_length' is \(valueSize), the keys' is \(headSize): "
                    + "heads of two sizes are not supported")
        }
        let rotated = try keys.count("rope.dimension_count") ?? headSize
        guard rotated == headSize else {
            throw ModelError(
                "key 'llama.rope.dimension_count' is \(rotated) in heads of \(headSize): "
                    + "partial rotation is not supported")
        }
        let description = DecoderDescription(
            layerCount: try keys.requiredCount("block_count"),
            hiddenSize: hiddenSize,
            feedForwardSize: try keys.requiredCount("feed_forward_length"),
            headCount: headCount,
            keyValueHeadCount: try keys.count("attention.head_count_kv") ?? headCount,
            headSize: headSize,
            vocabularySize: try keys.count("vocab_size") ?? 0,
            contextLength: try keys.requiredCount("context_length"),
            normEpsilon: Float(
                try keys.number("attention.layer_norm_rms_epsilon") ?? 1e-5),
            rotary: RotaryEmbedding(
                dimensionCount: headSize, base: try keys.number("rope.freq_base") ?? 10_000,
                pairing: .adjacent, scaling: try keys.rotaryScaling()),
            isOutputTied: false)
        try check(description)
        return description
    }

    private static func check(_ description: DecoderDescription) throws(ModelError) {
        guard description.headCount.isMultiple(of: description.keyValueHeadCount) else {
            throw ModelError(
                "\(description.headCount) query heads cannot share "
                    + "\(description.keyValueHeadCount) key and value heads")
        }
        guard description.headSize.isMultiple(of: 2), description.headSize > 0 else {
            throw ModelError("heads of \(description.headSize) dimensions cannot be rotated")
        }
        guard description.layerCount <= 10_000 else {
            throw ModelError("\(description.layerCount) layers; at most 10000 are supported")
        }
    }

    private static func llamaMetadata(_ description: DecoderDescription) -> Metadata {
        let number = { (value: Int) in MetadataValue.uint32(UInt32(clamping: value)) }
        var metadata: Metadata = [
            "llama.block_count": number(description.layerCount),
            "llama.context_length": number(description.contextLength),
            "llama.embedding_length": number(description.hiddenSize),
            "llama.feed_forward_length": number(description.feedForwardSize),
            "llama.attention.head_count": number(description.headCount),
            "llama.attention.head_count_kv": number(description.keyValueHeadCount),
            "llama.rope.freq_base": .float32(Float(description.rotary.base)),
            "llama.attention.layer_norm_rms_epsilon": .float32(description.normEpsilon),
        ]
        if description.headSize * description.headCount != description.hiddenSize {
            metadata["llama.attention.key_length"] = number(description.headSize)
            metadata["llama.attention.value_length"] = number(description.headSize)
        }
        metadata["llama.vocab_size"] = number(description.vocabularySize)
        metadata["llama.rope.dimension_count"] = number(description.rotary.dimensionCount)
        if case .linear(let factor) = description.rotary.scaling {
            metadata["llama.rope.scaling.type"] = .string("linear")
            metadata["llama.rope.scaling.factor"] = .float32(Float(factor))
        }
        return metadata
    }

    private static func llamaConfiguration(
        _ description: DecoderDescription
    ) throws(ModelError) -> [(String, JSON)] {
        [
            ("hidden_act", "silu"),
            ("hidden_size", .integer(description.hiddenSize)),
            ("intermediate_size", .integer(description.feedForwardSize)),
            ("num_hidden_layers", .integer(description.layerCount)),
            ("num_attention_heads", .integer(description.headCount)),
            ("num_key_value_heads", .integer(description.keyValueHeadCount)),
            ("head_dim", .integer(description.headSize)),
            ("max_position_embeddings", .integer(description.contextLength)),
            ("rms_norm_eps", .shortest(description.normEpsilon)),
            ("rope_theta", .number(description.rotary.base)),
            ("rope_scaling", try description.rotary.huggingFaceScaling()),
            ("tie_word_embeddings", .bool(description.isOutputTied)),
            ("vocab_size", .integer(description.vocabularySize)),
        ]
    }
}

extension JSON {
    /// A single-precision number in the digits that identify it, not those of its double.
    static func shortest(_ value: Float) -> JSON { .number(Double("\(value)") ?? Double(value)) }
}
