import ByteIO
import OrderedCollections
import TensorIR

/// A checkpoint whose tensors are known by what they are for.
///
/// Making one proves what later work relies on: the architecture is supported, every tensor that the
/// decoder needs is there, none is left over, and all have the shapes that the configuration states.
public struct LanguageModel: Sendable {
    public let checkpoint: Checkpoint
    public let family: Family
    public let description: DecoderDescription
    public private(set) var tensors: OrderedDictionary<TensorRole, any TensorSource>
    /// What was left out and why, for people to read.
    public let notes: [String]

    /// - Throws: `ModelError` naming the key or tensor, `FormatError` for a document that is not JSON.
    public init(_ checkpoint: Checkpoint) throws {
        let (family, stated) = try Family.describing(checkpoint)
        var notes: [String] = []
        var tensors = OrderedDictionary<TensorRole, any TensorSource>()
        var unknown: [String] = []
        for tensor in checkpoint.tensors {
            let name = tensor.descriptor.name
            if let role = family.role(of: name, in: checkpoint.dialect) {
                tensors[role] = tensor
            } else if name.hasSuffix(".rotary_emb.inv_freq") {
                notes.append("'\(name)' is computed from the configuration and left out")
            } else {
                unknown.append(name)
            }
        }
        guard unknown.isEmpty else {
            throw ModelError(
                "\(unknown.count) tensors that architecture '\(family.ggufArchitecture)' does not "
                    + "have: \(unknown.prefix(5).map(\.escapedForDisplay).joined(separator: ", "))"
                    + (unknown.count > 5 ? ", …" : ""))
        }

        var description = stated
        if checkpoint.dialect == .gguf {
            description.isOutputTied = tensors[TensorRole(.output)] == nil
        } else if description.isOutputTied, tensors[TensorRole(.output)] != nil {
            tensors[TensorRole(.output)] = nil
            notes.append("the output matrix is tied to the embedding; the file's copy is left out")
        }
        if description.vocabularySize == 0, let embedding = tensors[TensorRole(.tokenEmbedding)] {
            description.vocabularySize = embedding.descriptor.rows
        }
        if let factors = tensors[TensorRole(.rotaryFactors)] {
            description.rotary.scaling = .factors(try LanguageModel.floats(of: factors))
        }

        self.checkpoint = checkpoint
        self.family = family
        self.description = description
        self.tensors = tensors
        self.notes = notes
        try checkTensors()
    }

    /// All weight matrices and vectors that a decoder of this description needs.
    public var requiredRoles: [TensorRole] {
        var roles = [TensorRole(.tokenEmbedding), TensorRole(.outputNorm)]
        if !description.isOutputTied { roles.append(TensorRole(.output)) }
        for layer in 0..<description.layerCount {
            for name in family.names where name.module.isInLayer {
                roles.append(TensorRole(name.module, layer: layer))
            }
        }
        return roles
    }

    /// The same model with another tensor in a role.
    /// - Precondition: the shape is the same.
    public func replacing(_ role: TensorRole, with tensor: any TensorSource) -> LanguageModel {
        precondition(tensors[role]?.descriptor.shape == tensor.descriptor.shape)
        var model = self
        model.tensors[role] = tensor
        return model
    }

    private func checkTensors() throws(ModelError) {
        let dialect = checkpoint.dialect
        let missing = requiredRoles.filter { tensors[$0] == nil }
            .compactMap { family.name(of: $0, in: dialect) }
        guard missing.isEmpty else {
            throw ModelError(
                "\(missing.count) tensors are missing: "
                    + missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", …" : ""))
        }
        for (role, tensor) in tensors {
            let expected = description.shape(of: role)
            let name = tensor.descriptor.name.escapedForDisplay
            guard role.layer ?? 0 < description.layerCount else {
                throw ModelError("tensor '\(name)': the model has \(description.layerCount) layers")
            }
            guard tensor.descriptor.shape == expected else {
                throw ModelError(
                    "tensor '\(name)' has shape \(tensor.descriptor.shape), the configuration "
                        + "demands \(expected)")
            }
        }
    }

    private static func floats(of tensor: any TensorSource) throws -> [Float] {
        guard tensor.descriptor.encoding == .scalar(.f32) else {
            throw ModelError("tensor '\(tensor.descriptor.name)' must be F32")
        }
        let factors = try tensor.withBytes(rows: 0..<tensor.descriptor.rows) { bytes in
            (0..<bytes.count / 4).map {
                Float(
                    bitPattern: UInt32(
                        littleEndian: bytes.loadUnaligned(
                            fromByteOffset: $0 * 4, as: UInt32.self)))
            }
        }
        guard factors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw ModelError(
                "tensor '\(tensor.descriptor.name)' holds a factor that is not positive")
        }
        return factors
    }
}

extension Family {
    /// The family of a checkpoint and what its configuration says.
    static func describing(_ checkpoint: Checkpoint) throws -> (Family, DecoderDescription) {
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
            let configuration = Configuration(json: json)
            let modelType = try configuration.string("model_type") ?? ""
            guard let family = all.first(where: { $0.modelTypes.contains(modelType) }) else {
                let known = all.flatMap(\.modelTypes).joined(separator: ", ")
                throw ModelError(
                    "config.json: 'model_type' is '\(modelType.escapedForDisplay)', which is not "
                        + "supported; supported: \(known)")
            }
            return (family, try family.describeConfiguration(configuration))
        case .gguf:
            let architecture = checkpoint.metadata["general.architecture"]?.string ?? ""
            guard let family = all.first(where: { $0.ggufArchitecture == architecture }) else {
                let known = all.map(\.ggufArchitecture).joined(separator: ", ")
                throw ModelError(
                    "key 'general.architecture' is '\(architecture.escapedForDisplay)', which is "
                        + "not supported; supported: \(known)")
            }
            let keys = GGUFKeys(metadata: checkpoint.metadata, architecture: architecture)
            return (family, try family.describeMetadata(keys))
        }
    }
}
