import ByteIO
import TensorIR

extension Family {
    /// What a Hugging Face configuration says.
    func describe(_ configuration: Configuration) throws(ModelError) -> DecoderDescription {
        var description = base
        for field in fields { try field.read(configuration, &description) }
        if description.embeddingSize == 0 { description.embeddingSize = description.hiddenSize }
        try description.check()
        return description
    }

    /// The members of a Hugging Face configuration that the architecture decides.
    ///
    /// - Throws: `ModelError` when the family's keys cannot say what the description says.
    func configuration(
        _ description: DecoderDescription
    ) throws(ModelError) -> JSON.Members {
        var members: JSON.Members = [
            "architectures": .array([.string(className)]), "model_type": .string(modelType),
        ]
        for field in fields {
            for (key, value) in try field.write(description) { members.set(key, value) }
        }
        // What was written must be what will be read.
        var stated = description.inHuggingFace(of: self)
        let read = try describe(Configuration(json: .object(members)))
        if case .factors? = stated.rotary?.scaling {
            stated.rotary?.scaling = read.rotary?.scaling ?? .none
        }
        guard read == stated else {
            let difference = stated.firstDifference(from: read) ?? "an option"
            throw ModelError(
                "a configuration of model type '\(modelType)' cannot state this model's "
                    + "\(difference)")
        }
        return members
    }
}

extension JSON.Members {
    /// Sets a member, or for a key `outer.inner` a member of a member.
    fileprivate mutating func set(_ key: String, _ value: JSON) {
        let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            self[ExactString(key)] = value
            return
        }
        let outer = ExactString(parts[0])
        var inner = self[outer]?.object ?? [:]
        inner[ExactString(parts[1])] = value
        self[outer] = .object(inner)
    }
}

extension DecoderDescription {
    static let maximumLayerCount = 10_000
    static let maximumExpertCount = 65_536
    /// Experts of all layers together.
    static let maximumExpertTotal = 1 << 18

    /// The same model with gains and pairing as Hugging Face's files of the family hold them.
    func inHuggingFace(of family: Family) -> DecoderDescription {
        var description = self
        description.norm.gainOffset = family.base.norm.gainOffset
        description.rotary?.pairing = family.huggingFacePairing
        description.windowedRotary?.pairing = family.huggingFacePairing
        return description
    }

    /// The first property in which two descriptions differ, by its name.
    func firstDifference(from other: DecoderDescription) -> String? {
        guard self != other else { return nil }
        // A set has no order that its text could be compared in.
        func text(_ value: Any) -> String {
            (value as? Set<TensorRole.Module>).map { "\($0.map(\.rawValue).sorted())" }
                ?? "\(value)"
        }
        return zip(Mirror(reflecting: self).children, Mirror(reflecting: other).children)
            .first { text($0.value) != text($1.value) }?.0.label ?? "options"
    }

    /// Proves that the sizes fit each other.
    func check() throws(ModelError) {
        guard headCount > 0, keyValueHeadCount > 0, headCount.isMultiple(of: keyValueHeadCount)
        else {
            throw ModelError(
                "\(headCount) query heads cannot share \(keyValueHeadCount) key and value heads")
        }
        guard headSize > 0 else {
            throw ModelError("\(headCount) heads do not fit into \(hiddenSize) dimensions")
        }
        for rotary in [rotary, windowedRotary].compactMap({ $0 }) {
            guard rotary.dimensionCount > 0, rotary.dimensionCount.isMultiple(of: 2),
                rotary.dimensionCount <= headSize
            else {
                throw ModelError(
                    "\(rotary.dimensionCount) dimensions of heads of \(headSize) cannot be rotated")
            }
            let lists: [[Float]] =
                switch rotary.scaling {
                case .longRoPE(let longRoPE): [longRoPE.short, longRoPE.long]
                case .factors(let factors): [factors]
                default: []
                }
            guard lists.allSatisfy({ $0.count == rotary.dimensionCount / 2 }) else {
                throw ModelError(
                    "the rotary factors must be \(rotary.dimensionCount / 2), one for each pair")
            }
        }
        guard layerCount <= DecoderDescription.maximumLayerCount else {
            throw ModelError(
                "\(layerCount) layers; at most \(DecoderDescription.maximumLayerCount) are "
                    + "supported")
        }
        if let experts {
            guard experts.count <= DecoderDescription.maximumExpertCount else {
                throw ModelError(
                    "\(experts.count) experts; at most "
                        + "\(DecoderDescription.maximumExpertCount) are supported")
            }
            guard layerCount * experts.count <= DecoderDescription.maximumExpertTotal else {
                throw ModelError(
                    "\(layerCount) layers of \(experts.count) experts; at most "
                        + "\(DecoderDescription.maximumExpertTotal) experts are supported")
            }
            guard 1 <= experts.usedCount, experts.usedCount <= experts.count else {
                throw ModelError(
                    "each token cannot visit \(experts.usedCount) of \(experts.count) experts")
            }
        }
        guard (contextLength + 2).multipliedReportingOverflow(by: hiddenSize).overflow == false
        else { throw ModelError("\(contextLength) positions are more than can be held") }
    }
}
