import ByteIO
import TensorIR

/// A key of `config.json` and what it means to the decoder, in both directions.
///
/// Families are lists of these, so that what is read is what is written.
struct ConfigurationField: Sendable {
    typealias Description = DecoderDescription

    let read: @Sendable (Configuration, inout Description) throws(ModelError) -> Void
    /// The members to write; a key `outer.inner` stands for a member of a member.
    let write: @Sendable (Description) throws(ModelError) -> [(key: String, value: JSON)]
}

/// A property of the description that both directions of a field share.
typealias DescriptionPath<Value> = WritableKeyPath<DecoderDescription, Value> & Sendable

extension ConfigurationField {
    /// A count.
    /// - Parameters:
    ///   - keys: the first is written, all are read.
    ///   - path: where it goes.
    ///   - limit: the largest number that is taken for a count of such things.
    ///   - otherwise: what a missing key means, after the fields before this one; nil demands the key.
    /// - Returns: the field.
    static func count(
        _ keys: String..., to path: DescriptionPath<Int>,
        limit: Int = Configuration.maximumCount,
        otherwise: (@Sendable (Description) -> Int)? = nil
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            for key in keys {
                guard let count = try configuration.count(key) else { continue }
                guard count <= limit else {
                    throw configuration.wrong(key, "an integer from 1 to \(limit)")
                }
                description[keyPath: path] = count
                return
            }
            guard let otherwise else {
                throw ModelError("config.json: key '\(keys[0])' is missing")
            }
            description[keyPath: path] = otherwise(description)
        } write: { description in
            [(keys[0], .integer(description[keyPath: path]))]
        }
    }

    /// A count that may be null.
    static func optionalCount(
        _ key: String, to path: DescriptionPath<Int?>
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            description[keyPath: path] = try configuration.count(key)
        } write: { description in
            [(key, description[keyPath: path].map { .integer($0) } ?? .null)]
        }
    }

    static func number(
        _ keys: String..., to path: DescriptionPath<Float>, otherwise: Float
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            description[keyPath: path] = otherwise
            for key in keys {
                guard let number = try configuration.number(key) else { continue }
                description[keyPath: path] = Float(number)
                return
            }
        } write: { description in
            [(keys[0], .shortest(description[keyPath: path]))]
        }
    }

    /// A number that is kept as one divided by it.
    static func reciprocal(
        _ key: String, to path: DescriptionPath<Float>, otherwise: Float
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            let number = try configuration.number(key).map { Float($0) } ?? otherwise
            guard number != 0 else { throw configuration.wrong(key, "a number other than 0") }
            description[keyPath: path] = 1 / number
        } write: { description in
            [(key, .shortest(1 / description[keyPath: path]))]
        }
    }

    /// A positive number that may be null.
    static func optionalNumber(
        _ key: String, to path: DescriptionPath<Float?>, otherwise: Float? = nil
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            if configuration.json[key]?.isNull == true {
                description[keyPath: path] = nil
                return
            }
            let number = try configuration.number(key).map { Float($0) } ?? otherwise
            if let number, number <= 0 { throw configuration.wrong(key, "a positive number") }
            description[keyPath: path] = number
        } write: { description in
            [(key, description[keyPath: path].map { .shortest($0) } ?? .null)]
        }
    }

    static func flag(
        _ key: String, to path: DescriptionPath<Bool>, otherwise: Bool = false
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            description[keyPath: path] = try configuration.bool(key) ?? otherwise
        } write: { description in
            [(key, .bool(description[keyPath: path]))]
        }
    }

    /// A flag that decides whether some modules are among those of a set.
    static func flag(
        _ key: String, adds modules: [TensorRole.Module],
        to path: DescriptionPath<Set<TensorRole.Module>>, otherwise: Bool = false
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            if try configuration.bool(key) ?? otherwise {
                description[keyPath: path].formUnion(modules)
            } else {
                description[keyPath: path].subtract(modules)
            }
        } write: { description in
            [(key, .bool(modules.allSatisfy(description[keyPath: path].contains)))]
        }
    }

    /// An option with one value that the decoder has; a missing key means that value.
    static func only(_ key: String, _ value: JSON) -> ConfigurationField {
        ConfigurationField { configuration, _ throws(ModelError) in
            guard let found = configuration.json(at: key), found != value else { return }
            throw configuration.unsupported(key, supported: value.text())
        } write: { _ in
            [(key, value)]
        }
    }

    /// An option with one value that the decoder has, which need not be written.
    static func refusing(_ key: String, otherThan value: JSON) -> ConfigurationField {
        ConfigurationField(read: only(key, value).read) { _ in [] }
    }

    /// The nonlinearity of the feed-forward, by the names of Hugging Face.
    ///
    /// - Parameters:
    ///   - key: read and written.
    ///   - otherwise: what a missing key means.
    ///   - geluIsTanh: whether the family's "gelu" is the approximation.
    /// - Returns: the field.
    static func activation(
        _ key: String, otherwise: Description.Activation, geluIsTanh: Bool = false
    ) -> ConfigurationField {
        ConfigurationField { configuration, description throws(ModelError) in
            guard let name = try configuration.string(key) else {
                description.activation = otherwise
                return
            }
            if geluIsTanh, name == "gelu" {
                description.activation = .geluTanh
                return
            }
            guard let activation = Description.Activation.named[name] else {
                throw configuration.unsupported(
                    key,
                    supported: Description.Activation.named.keys.sorted().joined(separator: ", "))
            }
            description.activation = activation
        } write: { description in
            [(key, .string(description.activation.huggingFaceName))]
        }
    }

    /// A choice that takes more than one key.
    static func custom(
        read: @escaping @Sendable (Configuration, inout Description) throws(ModelError) -> Void,
        write: @escaping @Sendable (Description) throws(ModelError) -> [(key: String, value: JSON)]
    ) -> ConfigurationField {
        ConfigurationField(read: read, write: write)
    }

    /// What follows from fields before it and is not written.
    static func derived(
        _ read: @escaping @Sendable (inout Description) -> Void
    ) -> ConfigurationField {
        ConfigurationField { _, description in
            read(&description)
        } write: { _ in
            []
        }
    }
}

extension DecoderDescription.Activation {
    static let named: [String: DecoderDescription.Activation] = [
        "silu": .silu, "swish": .silu, "gelu": .gelu, "gelu_python": .gelu,
        "gelu_new": .geluTanh, "gelu_fast": .geluTanh, "gelu_pytorch_tanh": .geluTanh,
        "quick_gelu": .geluSigmoid, "relu": .relu, "relu2": .reluSquared,
    ]

    var huggingFaceName: String {
        switch self {
        case .silu: "silu"
        case .gelu: "gelu"
        case .geluTanh: "gelu_pytorch_tanh"
        case .geluSigmoid: "quick_gelu"
        case .relu: "relu"
        case .reluSquared: "relu2"
        }
    }
}

extension JSON {
    /// A single-precision number in the digits that identify it, not those of its double.
    static func shortest(_ value: Float) -> JSON { .number(Double("\(value)") ?? Double(value)) }
}
