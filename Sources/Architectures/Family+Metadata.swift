import TensorIR

/// GGUF's key-values of an architecture. They are named alike for all of them.
extension Family {
    /// What the key-values and the names of the tensors say.
    func describe(
        _ keys: GGUFKeys, present: Set<TensorRole>
    ) throws(ModelError) -> DecoderDescription {
        var description = base
        let layerCount = try keys.requiredCount("block_count")
        guard layerCount <= DecoderDescription.maximumLayerCount else {
            throw ModelError(
                "key '\(keys.architecture).block_count' is \(layerCount); at most "
                    + "\(DecoderDescription.maximumLayerCount) layers are supported")
        }
        description.layerCount = layerCount
        description.hiddenSize = try keys.requiredCount("embedding_length")
        description.embeddingSize = description.hiddenSize
        description.feedForwardSize =
            try keys.count("feed_forward_length") ?? 4 * description.hiddenSize
        description.headCount = try keys.requiredCount("attention.head_count")
        description.keyValueHeadCount =
            try keys.count("attention.head_count_kv") ?? description.headCount
        description.headSize =
            try keys.count("attention.key_length")
            ?? description.hiddenSize / description.headCount
        if let size = try keys.count("attention.value_length"), size != description.headSize {
            throw ModelError(
                "key '\(keys.architecture).attention.value_length' is \(size), the keys' is "
                    + "\(description.headSize): heads of two sizes are not supported")
        }
        description.vocabularySize = try keys.count("vocab_size") ?? 0
        description.contextLength = try keys.requiredCount("context_length")
        description.norm.gainOffset = 0
        if let epsilon = try keys.number(normEpsilonKey) {
            description.norm.epsilon = Float(epsilon)
        }
        description.isOutputTied = !present.contains(TensorRole(.output))
        if description.norm.hasGain {
            description.norms = Set(present.map(\.module).filter(\.isNorm))
        }
        description.biases = Set(present.filter { $0.parameter == .bias }.map(\.module))
        if description.rotary != nil {
            description.rotary = RotaryEmbedding(
                dimensionCount: try keys.count("rope.dimension_count") ?? description.headSize,
                base: try keys.number("rope.freq_base") ?? 10_000, pairing: ggufPairing,
                scaling: try keys.rotaryScaling(contextLength: description.contextLength))
        }
        try readWindow(keys, into: &description)
        try readOptions(keys, into: &description)
        try readExperts(keys, present, into: &description)
        try completeMetadata(keys, &description)
        try description.check()
        return description
    }

    private var normEpsilonKey: String {
        base.norm.kind == .rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"
    }

    private func readWindow(
        _ keys: GGUFKeys, into description: inout DecoderDescription
    ) throws(ModelError) {
        // 0 stands for none.
        guard let window = try keys.number("attention.sliding_window"), window >= 1,
            let width = Int(exactly: window)
        else { return }
        guard let pattern = keys.metadata["\(keys.architecture).\(Family.windowPatternKey)"] else {
            description.setWindow(width, windowPattern)
            return
        }
        if let period = pattern.integer, period > 0 {
            description.setWindow(width) { !($0 + 1).isMultiple(of: period) }
        } else if case .array(.bool(let layers)) = pattern, layers.count == description.layerCount {
            description.setWindow(width) { layers[$0] }
        } else {
            throw ModelError(
                "key '\(keys.architecture).\(Family.windowPatternKey)' must be a period or a list "
                    + "of \(description.layerCount) truth values")
        }
    }

    private static let windowPatternKey = "attention.sliding_window_pattern"

    private func readOptions(
        _ keys: GGUFKeys, into description: inout DecoderDescription
    ) throws(ModelError) {
        if let cap = try keys.positive("attn_logit_softcapping") {
            description.attentionSoftcap = cap
        }
        if let cap = try keys.positive("final_logit_softcapping") { description.logitSoftcap = cap }
        if let clip = try keys.positive("attention.clamp_kqv") { description.projectionClip = clip }
        if let maximum = try keys.positive("attention.max_alibi_bias") {
            description.linearBias?.maximum = maximum
        }
        if let isParallel = try keys.bool("use_parallel_residual") {
            description.arrangement = isParallel ? .parallel : .sequential
        }
    }

    private func readExperts(
        _ keys: GGUFKeys, _ present: Set<TensorRole>, into description: inout DecoderDescription
    ) throws(ModelError) {
        guard var experts = description.experts else { return }
        experts.count = try keys.requiredCount("expert_count")
        experts.usedCount = try keys.requiredCount("expert_used_count")
        experts.feedForwardSize =
            try keys.count("expert_feed_forward_length") ?? description.feedForwardSize
        if let isNormalized = try keys.bool("expert_weights_norm") {
            experts.isNormalized = isNormalized
        }
        experts.sharedFeedForwardSize = try keys.count("expert_shared_feed_forward_length")
        description.experts = experts
        for layer in description.layers.indices {
            description.layers[layer].usesExperts = present.contains(
                TensorRole(.router, layer: layer))
        }
    }

    /// The key-values that state a description, as far as llama.cpp has keys for it.
    func metadata(_ description: DecoderDescription) -> Metadata {
        guard let architecture = ggufArchitecture else { return [:] }
        var metadata: Metadata = [:]
        func set(_ key: String, _ value: MetadataValue) {
            metadata["\(architecture).\(key)"] = value
        }
        func count(_ key: String, _ value: Int) { set(key, .uint32(UInt32(clamping: value))) }
        func number(_ key: String, _ value: Float?) {
            if let value { set(key, .float32(value)) }
        }
        count("block_count", description.layerCount)
        count("context_length", description.contextLength)
        count("embedding_length", description.hiddenSize)
        count("feed_forward_length", description.feedForwardSize)
        count("attention.head_count", description.headCount)
        count("attention.head_count_kv", description.keyValueHeadCount)
        if description.headSize * description.headCount != description.hiddenSize
            || base.headSize != 0
        {
            count("attention.key_length", description.headSize)
            count("attention.value_length", description.headSize)
        }
        number(normEpsilonKey, description.norm.epsilon)
        count("vocab_size", description.vocabularySize)
        if let rotary = description.rotary {
            count("rope.dimension_count", rotary.dimensionCount)
            number("rope.freq_base", Float(rotary.base))
            writeScaling(rotary, count: count, number: number, set: set)
        }
        if let window = description.window {
            count("attention.sliding_window", window)
            let layers = description.layers.map(\.isWindowed)
            if layers != layers.indices.map(windowPattern) {
                set(Family.windowPatternKey, .array(.bool(layers)))
            }
        }
        number("attn_logit_softcapping", description.attentionSoftcap)
        number("final_logit_softcapping", description.logitSoftcap)
        number("attention.clamp_kqv", description.projectionClip)
        number("attention.max_alibi_bias", description.linearBias?.maximum)
        if let experts = description.experts {
            count("expert_count", experts.count)
            count("expert_used_count", experts.usedCount)
            count("expert_feed_forward_length", experts.feedForwardSize)
            if let shared = experts.sharedFeedForwardSize {
                count("expert_shared_feed_forward_length", shared)
            }
        }
        for (key, value) in extraMetadata(description).sorted(by: { $0.key < $1.key }) {
            set(key, value)
        }
        return metadata
    }

    private func writeScaling(
        _ rotary: RotaryEmbedding, count: (String, Int) -> Void,
        number: (String, Float?) -> Void, set: (String, MetadataValue) -> Void
    ) {
        switch rotary.scaling {
        case .none, .dynamic, .llama3, .factors: break
        case .linear(let factor):
            set("rope.scaling.type", .string("linear"))
            number("rope.scaling.factor", Float(factor))
        case .yarn(let yarn):
            set("rope.scaling.type", .string("yarn"))
            number("rope.scaling.factor", Float(yarn.factor))
            count("rope.scaling.original_context_length", yarn.originalContext)
            if let attention = yarn.attentionFactor {
                let usual = RotaryEmbedding.YaRN.temperature(factor: yarn.factor)
                number("rope.scaling.attn_factor", Float(attention / usual))
            }
        case .longRoPE(let longRoPE):
            set("rope.scaling.type", .string("longrope"))
            number("rope.scaling.attn_factor", longRoPE.attentionFactor)
            count("rope.scaling.original_context_length", longRoPE.originalContext)
        }
    }
}
