import ByteIO
import TensorIR

/// A checkpoint's tensors with what their names say.
struct NamedTensors {
    struct Entry {
        let tensor: any TensorSource
        let layout: TensorLayout
        let instance: TensorLayout.Instance
    }

    private(set) var entries: [Entry] = []
    private(set) var notes: [String] = []

    /// - Throws: `ModelError` for a name that the family does not have.
    init(_ checkpoint: Checkpoint, of family: Family) throws(ModelError) {
        let names = Set(checkpoint.tensors.map { ExactString($0.descriptor.name) })
        let layouts = family.tensors(in: checkpoint.dialect).filter { $0.isMeant(names) }
        // A checkpoint of the bare model, without the head, lacks what all other names start with.
        let prefixes =
            checkpoint.dialect == .gguf
            ? [""]
            : ["", "transformer.", "model."].filter { prefix in
                prefix.isEmpty || layouts.contains { $0.pattern.hasPrefix(prefix) }
            }
        var unknown: [String] = []
        for tensor in checkpoint.tensors {
            let name = tensor.descriptor.name
            let entry = prefixes.lazy.compactMap { prefix in
                layouts.lazy.compactMap { layout in
                    layout.instance(named: prefix + name).map {
                        Entry(tensor: tensor, layout: layout, instance: $0)
                    }
                }.first
            }.first
            if let entry {
                entries.append(entry)
            } else if name.hasSuffix(".rotary_emb.inv_freq")
                || family.ignoredTensors.contains(where: name.hasSuffix)
            {
                notes.append("'\(name)' follows from the configuration and is left out")
            } else {
                unknown.append(name)
            }
        }
        guard unknown.isEmpty else {
            throw ModelError(
                "\(unknown.count) tensors that architecture '\(family.modelType)' does not have: "
                    + unknown.prefix(5).map(\.escapedForDisplay).joined(separator: ", ")
                    + (unknown.count > 5 ? ", …" : ""))
        }
    }

    /// The modules that are there, by layer; experts count as one.
    var present: Set<TensorRole> {
        Set(
            entries.flatMap { entry in
                entry.layout.modules.map {
                    TensorRole($0, layer: entry.instance.layer, entry.instance.parameter)
                }
            }
                + entries.flatMap { entry in
                    entry.layout.modules.map { TensorRole($0, entry.instance.parameter) }
                })
    }
}

extension Family {
    /// The key under which a GGUF keeps a Hugging Face configuration that its own keys cannot state.
    static let configurationKey = "detent.configuration"

    /// The family of a checkpoint, and its tensors by name.
    static func identifying(_ checkpoint: Checkpoint) throws -> (Family, NamedTensors) {
        switch checkpoint.dialect {
        case .huggingFace:
            guard let json = try checkpoint.json("config.json") else {
                throw ModelError(
                    "there is no config.json beside '\(checkpoint.path.escapedForDisplay)'")
            }
            if let method = json["quantization_config"]?["quant_method"]?.string {
                throw ModelError(
                    "config.json: 'quantization_config.quant_method' is "
                        + "'\(method.escapedForDisplay)': quantized checkpoints of Hugging Face are "
                        + "not supported as input; use the model that it was made from")
            }
            let family = try named(by: Configuration(json: json))
            return (family, try NamedTensors(checkpoint, of: family))
        case .gguf:
            if let configuration = try checkpoint.keptConfiguration() {
                let family = try named(by: configuration)
                return (family, try NamedTensors(checkpoint, of: family))
            }
            let architecture = checkpoint.metadata["general.architecture"]?.string ?? ""
            func isSet(_ key: String) -> Bool {
                checkpoint.metadata["\(architecture).\(key)"]?.integer ?? 0 > 0
            }
            let isMixture = isSet("expert_count")
            let isWindowed = isSet("attention.sliding_window")
            let families = all.filter { $0.ggufArchitecture == architecture }
            guard
                let family = families.first(where: {
                    ($0.base.experts != nil) == isMixture && ($0.hasWindows || !isWindowed)
                })
            else {
                guard families.isEmpty else {
                    throw ModelError(
                        "key '\(architecture).expert_count': '\(architecture)' is not supported as "
                            + (isMixture ? "a mixture of experts" : "a model without experts"))
                }
                let known = Set(all.compactMap(\.ggufArchitecture)).sorted()
                throw ModelError(
                    "key 'general.architecture' is '\(architecture.escapedForDisplay)', which is "
                        + "not supported; supported: \(known.joined(separator: ", "))")
            }
            return (family, try NamedTensors(checkpoint, of: family))
        }
    }

    private static func named(by configuration: Configuration) throws(ModelError) -> Family {
        let modelType = try configuration.string("model_type") ?? ""
        guard let family = all.first(where: { $0.modelType == modelType }) else {
            let known = all.map(\.modelType).joined(separator: ", ")
            throw ModelError(
                "config.json: 'model_type' is '\(modelType.escapedForDisplay)', which is not "
                    + "supported; supported: \(known)")
        }
        return family
    }

    func describe(
        _ checkpoint: Checkpoint, _ named: NamedTensors
    ) throws -> DecoderDescription {
        switch checkpoint.dialect {
        case .huggingFace:
            return try describe(
                Configuration(json: try checkpoint.json("config.json") ?? .null))
        case .gguf:
            if let configuration = try checkpoint.keptConfiguration() {
                return try describe(configuration).inGGUF(of: self)
            }
            let keys = GGUFKeys(
                metadata: checkpoint.metadata,
                architecture: checkpoint.metadata["general.architecture"]?.string ?? "")
            return try describe(keys, present: named.present)
        }
    }
}

extension Checkpoint {
    /// The configuration that `Family.configurationKey` holds.
    fileprivate func keptConfiguration() throws -> Configuration? {
        guard let text = metadata[ExactString(Family.configurationKey)]?.string else { return nil }
        return Configuration(
            json: try JSON(parsing: [UInt8](text.utf8), subject: Family.configurationKey))
    }
}

extension Checkpoint {
    /// Changes one member of the Hugging Face configuration, wherever the checkpoint has one.
    mutating func setConfiguration(_ key: ExactString, to value: JSON) throws {
        if case .object(var members)? = try json("config.json") {
            members[key] = value
            documents["config.json"] = JSON.object(members).bytes(indentation: 2)
        }
        let kept = ExactString(Family.configurationKey)
        if let text = metadata[kept]?.string,
            case .object(var members) = try JSON(
                parsing: [UInt8](text.utf8), subject: Family.configurationKey)
        {
            members[key] = value
            metadata[kept] = .string(JSON.object(members).text())
        }
    }
}

extension DecoderDescription {
    /// The same model with gains and pairing as GGUF holds them.
    func inGGUF(of family: Family) -> DecoderDescription {
        var description = self
        description.norm.gainOffset = 0
        description.isOutputTied = isOutputTied && !family.loader.needsOutput
        description.biases.formUnion(family.loader.neededBiases)
        description.rotary?.pairing = family.ggufPairing
        description.windowedRotary?.pairing = family.ggufPairing
        return description
    }
}
