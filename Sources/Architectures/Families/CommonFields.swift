import ByteIO
import TensorIR

extension DecoderDescription {
    /// A description with some choices made.
    static func with(_ choose: (inout DecoderDescription) -> Void) -> DecoderDescription {
        var description = DecoderDescription()
        choose(&description)
        return description
    }

    /// The choices of the families that norm with means and biases.
    static func withLayerNorm(
        _ choose: (inout DecoderDescription) -> Void
    ) -> DecoderDescription {
        with { description in
            description.norm.kind = .layer
            description.biases = [.attentionNorm, .feedForwardNorm, .outputNorm]
            choose(&description)
        }
    }
}

extension RotaryEmbedding? {
    /// The choice of rotary positions; a configuration fills in the numbers.
    static var unsetRotary: RotaryEmbedding? {
        RotaryEmbedding(dimensionCount: 0, base: 10_000, pairing: .halves)
    }
}

extension [ConfigurationField] {
    /// The sizes under the names that most configurations since Llama's give them.
    ///
    /// - Parameters:
    ///   - keyValueHeads: heads of keys and values where no key states them; nil for as many as queries.
    ///   - headSize: width of a head where no key states it; nil for hidden_size / num_attention_heads.
    ///   - contextLength: positions where no key states them.
    /// - Returns: the fields, in the order of what depends on what.
    static func sizes(
        keyValueHeads: Int? = nil, headSize: Int? = nil, contextLength: Int = 2048
    ) -> [ConfigurationField] {
        [
            .count("hidden_size", to: \.hiddenSize),
            .count("intermediate_size", to: \.feedForwardSize) { 4 * $0.hiddenSize },
            .layerCount("num_hidden_layers"),
            .count("num_attention_heads", to: \.headCount),
            .count("num_key_value_heads", to: \.keyValueHeadCount) {
                keyValueHeads ?? $0.headCount
            },
            .count("head_dim", to: \.headSize) { headSize ?? $0.hiddenSize / $0.headCount },
            .count("vocab_size", to: \.vocabularySize),
            .count("max_position_embeddings", to: \.contextLength) { _ in contextLength },
        ]
    }
}

extension ConfigurationField {
    static func layerCount(_ keys: String...) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            for key in keys {
                guard let count = try configuration.count(key) else { continue }
                guard count <= DecoderDescription.maximumLayerCount else {
                    throw configuration.wrong(
                        key, "an integer from 1 to \(DecoderDescription.maximumLayerCount)")
                }
                description.layerCount = count
                return
            }
            throw ModelError("config.json: key '\(keys[0])' is missing")
        } write: { description in
            [(keys[0], .integer(description.layerCount))]
        }
    }

    static func tied(otherwise: Bool) -> ConfigurationField {
        .flag("tie_word_embeddings", to: \.isOutputTied, otherwise: otherwise)
    }

    static func epsilon(_ keys: String..., otherwise: Float) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            for key in keys {
                guard let epsilon = try configuration.number(key) else { continue }
                guard epsilon >= 0 else { throw configuration.wrong(key, "a number from 0") }
                description.norm.epsilon = Float(epsilon)
                return
            }
            description.norm.epsilon = otherwise
        } write: { description in
            [(keys[0], .shortest(description.norm.epsilon))]
        }
    }

    /// `attention_bias`: queries, keys, values and the output alike.
    static let attentionBias = ConfigurationField.flag(
        "attention_bias", adds: [.query, .key, .value, .attentionOutput], to: \.biases)

    /// `mlp_bias`: the three matrices of a gated feed-forward.
    static let feedForwardBias = ConfigurationField.flag(
        "mlp_bias", adds: [.gate, .up, .down], to: \.biases)

    /// A sliding window that all layers have, or none.
    /// - Parameter otherwise: the window where the key is missing; null means none.
    /// - Returns: the field.
    static func window(otherwise: Int? = nil) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            let isNull = configuration.json["sliding_window"]?.isNull == true
            let window = try configuration.window() ?? (isNull ? nil : otherwise)
            description.setWindow(window) { _ in true }
        } write: { description in
            [("sliding_window", description.window.map { .integer($0) } ?? .null)]
        }
    }

    /// A sliding window in the layers that `layer_types` lists.
    ///
    /// - Parameters:
    ///   - flag: the key that must be true for there to be a window; nil where none is needed.
    ///   - otherwise: the window where the key is missing.
    ///   - pattern: the windowed layers where there is no list.
    /// - Returns: the field.
    static func windowedLayers(
        flag: String? = nil, otherwise: Int? = nil,
        pattern:
            @escaping @Sendable (Configuration, Int) throws(ModelError) -> Bool
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            var window = try configuration.window() ?? otherwise
            if let flag, try configuration.bool(flag) != true { window = nil }
            let types = try configuration.list("layer_types", of: "strings", \.string)
            if let types {
                guard types.count == description.layerCount else {
                    throw ModelError(
                        "config.json: 'layer_types' lists \(types.count) layers, the model has "
                            + "\(description.layerCount)")
                }
                guard let other = types.first(where: { Layers(rawValue: $0) == nil }) else {
                    description.setWindow(window) { types[$0] == Layers.windowed.rawValue }
                    return
                }
                throw ModelError(
                    "config.json: 'layer_types' has '\(other.escapedForDisplay)', which is not "
                        + "supported; supported: full_attention, sliding_attention")
            }
            var windowed: [Bool] = []
            for layer in description.layers.indices {
                windowed.append(try pattern(configuration, layer))
            }
            description.setWindow(window) { windowed[$0] }
        } write: { description in
            // Some families' code asks for a window even where `layer_types` gives it to no layer.
            let window = (description.window ?? otherwise).map { JSON.integer($0) } ?? .null
            var members: [(key: String, value: JSON)] = [
                ("sliding_window", window),
                (
                    "layer_types",
                    .array(
                        description.layers.map {
                            .string(($0.isWindowed ? Layers.windowed : .full).rawValue)
                        })
                ),
            ]
            if let flag { members.append((flag, .bool(description.window != nil))) }
            return members
        }
    }

    private enum Layers: String {
        case full = "full_attention"
        case windowed = "sliding_attention"
    }
}

extension Configuration {
    /// `sliding_window`; some files state 0 where they mean none.
    func window() throws(ModelError) -> Int? {
        json["sliding_window"]?.integer == 0 ? nil : try count("sliding_window")
    }
}

extension DecoderDescription {
    /// Gives some layers a window; nil takes it from all.
    mutating func setWindow(_ window: Int?, _ isWindowed: (Int) -> Bool) {
        for layer in layers.indices {
            layers[layer].isWindowed = window != nil && isWindowed(layer)
        }
        self.window = layers.contains(where: \.isWindowed) ? window : nil
    }
}
