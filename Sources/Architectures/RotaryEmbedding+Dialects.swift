import ByteIO
import TensorIR

extension Configuration {
    /// The rotary embedding in either dialect of Hugging Face: `rope_theta` and `rope_scaling`
    /// (transformers 4), or `rope_parameters` (transformers 5).
    func rotaryEmbedding(
        headSize: Int, defaultBase: Double
    ) throws(ModelError) -> RotaryEmbedding {
        let isVersion5 = json["rope_parameters"].map { !$0.isNull } ?? false
        let key = isVersion5 ? "rope_parameters" : "rope_scaling"
        let parameters = json[key] ?? .null
        guard parameters.isNull || parameters.object != nil else { throw wrong(key, "an object") }
        let nested = Configuration(json: parameters)
        let (inner, outer) = (try nested.number("rope_theta"), try number("rope_theta"))
        let base = inner ?? outer ?? defaultBase
        guard base > 0 else { throw wrong("rope_theta", "a positive number") }
        for place in [self, nested] {
            if let partial = try place.number("partial_rotary_factor"), partial != 1 {
                throw place.unsupported("partial_rotary_factor", supported: "supported: 1")
            }
        }
        return RotaryEmbedding(
            dimensionCount: headSize, base: base, pairing: .halves,
            scaling: try nested.rotaryScaling(key: key))
    }

    private func rotaryScaling(key: String) throws(ModelError) -> RotaryEmbedding.Scaling {
        func required(_ name: String) throws(ModelError) -> Double {
            guard let value = try number(name), value > 0 else {
                throw ModelError("config.json: '\(key).\(name)' must be a positive number")
            }
            return value
        }
        // The first checkpoints with scaling called the key `type`.
        let (type, oldType) = (try string("rope_type"), try string("type"))
        switch type ?? oldType ?? "default" {
        case "default": return .none
        case "linear": return .linear(factor: try required("factor"))
        case "llama3":
            let original = try count("original_max_position_embeddings")
            guard let original else {
                throw ModelError(
                    "config.json: '\(key).original_max_position_embeddings' is missing")
            }
            let low = try required("low_freq_factor")
            let high = try required("high_freq_factor")
            guard high > low else {
                throw ModelError(
                    "config.json: '\(key).high_freq_factor' is \(high), which must exceed "
                        + "'low_freq_factor', \(low)")
            }
            return .llama3(
                factor: try required("factor"), lowFrequency: low, highFrequency: high,
                originalContext: original)
        case let other:
            throw ModelError(
                "config.json: '\(key).rope_type' is '\(other.escapedForDisplay)', which is not "
                    + "supported; supported: default, linear, llama3")
        }
    }
}

extension GGUFKeys {
    /// The scaling that the key-values state; factors in a tensor come on top of it.
    func rotaryScaling() throws(ModelError) -> RotaryEmbedding.Scaling {
        switch try string("rope.scaling.type") ?? "none" {
        case "none": return .none
        case "linear":
            guard let factor = try number("rope.scaling.factor"), factor > 0 else {
                throw ModelError("key '\(architecture).rope.scaling.factor' must be positive")
            }
            return .linear(factor: factor)
        case let other:
            throw ModelError(
                "key '\(architecture).rope.scaling.type' is '\(other.escapedForDisplay)', which is "
                    + "not supported; supported: none, linear")
        }
    }
}

extension RotaryEmbedding {
    /// `rope_scaling` of a configuration in the dialect of transformers 4, which version 5 also reads.
    func huggingFaceScaling() throws(ModelError) -> JSON {
        switch scaling {
        case .none: return .null
        case .linear(let factor): return ["rope_type": "linear", "factor": .number(factor)]
        case .llama3(let factor, let low, let high, let originalContext):
            return [
                "rope_type": "llama3", "factor": .number(factor), "low_freq_factor": .number(low),
                "high_freq_factor": .number(high),
                "original_max_position_embeddings": .integer(originalContext),
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
