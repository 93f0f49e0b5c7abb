import ByteIO
import TensorIR

extension ConfigurationField {
    /// The rotary embedding in either dialect of Hugging Face: `rope_theta` and `rope_scaling`
    /// (transformers 4), or `rope_parameters` (transformers 5). The first is written; both read it.
    ///
    /// Stands behind the fields of the head's size and the context.
    /// - Parameters:
    ///   - pairing: which dimensions the family's code in Hugging Face pairs.
    ///   - baseKey: where the base stands in the dialect of transformers 4.
    ///   - base: the base where no key states it.
    ///   - partialKey: where the share of the head that is rotated stands.
    ///   - partial: the share where no key states it.
    /// - Returns: the field.
    static func rotary(
        pairing: RotaryEmbedding.Pairing = .halves, baseKey: String = "rope_theta",
        base: Double = 10_000, partialKey: String = "partial_rotary_factor", partial: Double = 1
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            let isVersion5 = configuration.json(at: "rope_parameters") != nil
            let key = isVersion5 ? "rope_parameters" : "rope_scaling"
            let parameters = try configuration.object(key)
            let (innerShare, outerShare) = (
                try parameters.number("partial_rotary_factor"), try configuration.number(partialKey)
            )
            let share = innerShare ?? outerShare ?? partial
            guard share > 0, share <= 1 else {
                throw configuration.wrong(partialKey, "a number above 0 and up to 1")
            }
            let (innerBase, outerBase) = (
                try parameters.number("rope_theta"), try configuration.number(baseKey)
            )
            let theta = innerBase ?? outerBase ?? base
            guard theta > 0 else { throw configuration.wrong(baseKey, "a positive number") }
            description.rotary = RotaryEmbedding(
                dimensionCount: Int(Double(description.headSize) * share), base: theta,
                pairing: pairing,
                scaling: try configuration.rotaryScaling(parameters, key: key, description))
        } write: { description throws(ModelError) in
            guard let rotary = description.rotary else { return [] }
            var members = [
                (key: baseKey, value: JSON.number(rotary.base)),
                (key: "rope_scaling", value: try rotary.huggingFaceScaling()),
            ]
            if rotary.dimensionCount != description.headSize || partial != 1 {
                members.append((partialKey, .number(rotary.share(of: description.headSize))))
            }
            if case .longRoPE(let longRoPE) = rotary.scaling {
                members.append(
                    ("original_max_position_embeddings", .integer(longRoPE.originalContext)))
            }
            return members
        }
    }
}

extension Configuration {
    func object(_ key: String) throws(ModelError) -> Configuration {
        let found = json(at: key) ?? .null
        guard found.isNull || found.object != nil else { throw wrong(key, "an object") }
        return Configuration(json: found)
    }

    /// The scaling that `parameters`, found under `key`, ask for.
    func rotaryScaling(
        _ parameters: Configuration, key: String, _ description: DecoderDescription
    ) throws(ModelError) -> RotaryEmbedding.Scaling {
        func positive(_ name: String) throws(ModelError) -> Double? {
            guard let value = try parameters.number(name) else { return nil }
            guard value > 0 else {
                throw ModelError("config.json: '\(key).\(name)' must be a positive number")
            }
            return value
        }
        func required(_ name: String) throws(ModelError) -> Double {
            guard let value = try positive(name) else {
                throw ModelError("config.json: '\(key).\(name)' must be a positive number")
            }
            return value
        }
        let originalKey = "original_max_position_embeddings"
        let (inner, outer) = (try parameters.count(originalKey), try count(originalKey))
        // What stands outside wins, as transformers has it; most models state one of them or neither.
        let originalContext = outer ?? inner ?? description.contextLength
        let ratio = Double(description.contextLength) / Double(originalContext)
        // The first checkpoints with scaling called the key `type`.
        let (type, oldType) = (try parameters.string("rope_type"), try parameters.string("type"))
        switch type ?? oldType ?? "default" {
        case "default": return .none
        case "linear": return .linear(factor: try required("factor"))
        case "dynamic":
            return .dynamic(
                factor: try required("factor"), originalContext: description.contextLength)
        case "yarn":
            var yarn = RotaryEmbedding.YaRN(
                factor: try positive("factor") ?? ratio, originalContext: originalContext)
            yarn.fastTurns = try positive("beta_fast") ?? 32
            yarn.slowTurns = try positive("beta_slow") ?? 1
            yarn.isTruncated = try parameters.bool("truncate") ?? true
            yarn.attentionFactor = try positive("attention_factor")
            if let scale = try positive("mscale"), let allScale = try positive("mscale_all_dim"),
                yarn.attentionFactor == nil
            {
                let factor = yarn.factor
                yarn.attentionFactor =
                    RotaryEmbedding.YaRN.temperature(factor: factor, scale: scale)
                    / RotaryEmbedding.YaRN.temperature(factor: factor, scale: allScale)
            }
            return .yarn(yarn)
        case "llama3":
            let low = try required("low_freq_factor")
            let high = try required("high_freq_factor")
            guard high > low else {
                throw ModelError(
                    "config.json: '\(key).high_freq_factor' is \(high), which must exceed "
                        + "'low_freq_factor', \(low)")
            }
            return .llama3(
                factor: try required("factor"), lowFrequency: low, highFrequency: high,
                originalContext: originalContext)
        case "longrope", "su":
            let factor = try positive("factor") ?? ratio
            let attentionFactor = try positive("attention_factor").map { Float($0) }
            return .longRoPE(
                RotaryEmbedding.LongRoPE(
                    short: try factors(parameters, key, "short_factor"),
                    long: try factors(parameters, key, "long_factor"),
                    originalContext: originalContext,
                    attentionFactor: attentionFactor
                        ?? RotaryEmbedding.LongRoPE.attentionFactor(
                            factor: factor, originalContext: originalContext)))
        case let other:
            throw ModelError(
                "config.json: '\(key).rope_type' is '\(other.escapedForDisplay)', which is not "
                    + "supported; supported: default, dynamic, linear, llama3, longrope, yarn")
        }
    }

    private func factors(
        _ parameters: Configuration, _ key: String, _ name: String
    ) throws(ModelError) -> [Float] {
        guard
            let factors = try parameters.list(name, of: "positive numbers", \.double)?
                .map({ Float($0) }), factors.allSatisfy({ $0 > 0 && $0.isFinite })
        else {
            throw ModelError("config.json: '\(key).\(name)' must be a list of positive numbers")
        }
        return factors
    }
}

extension GGUFKeys {
    /// The scaling that the key-values state; factors in a tensor come on top of it.
    func rotaryScaling(contextLength: Int) throws(ModelError) -> RotaryEmbedding.Scaling {
        func factor() throws(ModelError) -> Double {
            guard let factor = try number("rope.scaling.factor"), factor > 0 else {
                throw ModelError("key '\(architecture).rope.scaling.factor' must be positive")
            }
            return factor
        }
        switch try string("rope.scaling.type") ?? "none" {
        // LongRoPE's factors are tensors, which say themselves what they are.
        case "none", "longrope": return .none
        case "linear": return .linear(factor: try factor())
        case "yarn":
            var yarn = RotaryEmbedding.YaRN(
                factor: try factor(),
                originalContext: try count("rope.scaling.original_context_length")
                    ?? contextLength)
            if let attention = try number("rope.scaling.attn_factor"), attention > 0 {
                yarn.attentionFactor =
                    attention * RotaryEmbedding.YaRN.temperature(factor: yarn.factor)
            }
            return .yarn(yarn)
        case let other:
            throw ModelError(
                "key '\(architecture).rope.scaling.type' is '\(other.escapedForDisplay)', which is "
                    + "not supported; supported: none, linear, longrope, yarn")
        }
    }
}

extension RotaryEmbedding {
    /// The share of a head's dimensions that are rotated.
    func share(of headSize: Int) -> Double { Double(dimensionCount) / Double(max(1, headSize)) }

    /// `rope_scaling` of a configuration in the dialect of transformers 4, which version 5 also reads.
    func huggingFaceScaling() throws(ModelError) -> JSON {
        switch scaling {
        case .none: return .null
        case .linear(let factor): return ["rope_type": "linear", "factor": .number(factor)]
        case .dynamic(let factor, _): return ["rope_type": "dynamic", "factor": .number(factor)]
        case .yarn(let yarn):
            var members: JSON.Members = [
                "rope_type": "yarn", "factor": .number(yarn.factor),
                "original_max_position_embeddings": .integer(yarn.originalContext),
                "beta_fast": .number(yarn.fastTurns), "beta_slow": .number(yarn.slowTurns),
            ]
            if !yarn.isTruncated { members["truncate"] = false }
            if let attention = yarn.attentionFactor {
                members["attention_factor"] = .number(attention)
            }
            return .object(members)
        case .llama3(let factor, let low, let high, let originalContext):
            return [
                "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low),
                "high_freq_factor": .number(high),
                "original_max_position_embeddings": .integer(originalContext),
            ]
        case .longRoPE(let longRoPE):
            return [
                "rope_type": "longrope",
                "short_factor": .array(longRoPE.short.map { .shortest($0) }),
                "long_factor": .array(longRoPE.long.map { .shortest($0) }),
                "attention_factor": .shortest(longRoPE.attentionFactor),
            ]
        case .factors(let factors):
            guard
                let rule = RotaryEmbedding.llama3Scaling(
                    matching: factors, dimensionCount: dimensionCount, base: base)
            else {
                throw ModelError(
                    "tensor 'rope_freqs.weight' follows no rule that a Hugging Face configuration "
                        + "can state")
            }
            var ruled = self
            ruled.scaling = rule
            return try ruled.huggingFaceScaling()
        }
    }
}
