import ByteIO
import OrderedCollections
import TensorIR

/// A checkpoint whose tensors are known by what they are for.
///
/// Making one proves what later work relies on: the architecture is supported, every tensor that the
/// decoder needs is there, none is left over, and all have the shapes that the configuration states.
public struct LanguageModel: Sendable {
    public private(set) var checkpoint: Checkpoint
    public let family: Family
    public private(set) var description: DecoderDescription
    public private(set) var tensors: OrderedDictionary<TensorRole, any TensorSource>
    /// What was left out and why, for people to read.
    public let notes: [String]

    /// - Throws: `ModelError` naming the key or tensor, `FormatError` for a document that is not JSON.
    public init(_ checkpoint: Checkpoint) throws {
        let (family, named) = try Family.identifying(checkpoint)
        var (description, notes) = (try family.describe(checkpoint, named), named.notes)
        var tensors = try LanguageModel.unpack(named, in: &description)

        if description.isOutputTied, tensors[TensorRole(.output)] != nil {
            tensors[TensorRole(.output)] = nil
            notes.append("the output matrix is tied to the embedding; the file's copy is left out")
        }
        try LanguageModel.readRotaryFactors(of: tensors, keys: checkpoint, into: &description)
        try description.check()

        self.checkpoint = checkpoint
        self.family = family
        self.description = description
        self.tensors = tensors
        self.notes = notes
        try checkTensors()
    }

    /// Whether the embedding doubles as the output matrix in a dialect's files.
    public func isOutputTied(in dialect: Checkpoint.Dialect) -> Bool {
        description.isOutputTied && !(dialect == .gguf && family.loader.needsOutput)
    }

    /// Whether the loader of a dialect takes the embedding for the output whatever the file holds.
    public func alwaysTiesOutput(in dialect: Checkpoint.Dialect) -> Bool {
        dialect == .gguf && family.loader.alwaysTiesOutput
    }

    /// The same model with another tensor in a role.
    /// - Precondition: the shape is the same.
    public func replacing(_ role: TensorRole, with tensor: any TensorSource) -> LanguageModel {
        replacing([role: tensor])
    }

    /// The same model with other tensors in some roles.
    /// - Precondition: the model has the roles, and the shapes are the same.
    public func replacing(_ replacements: [TensorRole: any TensorSource]) -> LanguageModel {
        var model = self
        for (role, tensor) in replacements {
            precondition(tensors[role]?.descriptor.shape == tensor.descriptor.shape)
            model.tensors[role] = tensor
        }
        return model
    }

    /// The same model with an output matrix of its own, where the embedding doubled as one.
    ///
    /// - Parameter output: (vocabularySize, embeddingSize).
    /// - Returns: a model whose configuration says so, too.
    /// - Throws: what reading the configuration throws.
    public func untied(output: any TensorSource) throws -> LanguageModel {
        precondition(description.isOutputTied)
        precondition(description.shape(of: TensorRole(.output)) == output.descriptor.shape)
        var model = self
        model.description.isOutputTied = false
        model.tensors[TensorRole(.output)] = output
        try model.checkpoint.setConfiguration("tie_word_embeddings", to: .bool(false))
        return model
    }

    private static func unpack(
        _ named: NamedTensors, in description: inout DecoderDescription
    ) throws -> OrderedDictionary<TensorRole, any TensorSource> {
        if description.vocabularySize == 0 {
            let embedding = named.entries.first { $0.layout.modules == [.tokenEmbedding] }
            description.vocabularySize = embedding?.tensor.descriptor.rows ?? 0
        }
        var tensors = OrderedDictionary<TensorRole, any TensorSource>()
        var rows: OrderedDictionary<TensorRole, [Int: any TensorSource]> = [:]
        for entry in named.entries {
            let tensor = try description.oriented(entry)
            for (role, part) in try entry.layout.unpack(tensor, entry.instance, in: description) {
                if case .row = entry.layout.content, let index = entry.instance.index {
                    rows[role, default: [:]][index] = part
                } else if let other = tensors.updateValue(part, forKey: role) {
                    throw ModelError(
                        "tensors '\(other.descriptor.name.escapedForDisplay)' and "
                            + "'\(part.descriptor.name.escapedForDisplay)' are the same one")
                }
            }
        }
        for (role, parts) in rows {
            let ordered = (0..<parts.count).compactMap { parts[$0] }
            guard ordered.count == parts.count, let first = ordered.first else { continue }
            tensors[role] = RenamedTensor(
                StackedTensor(ordered), name: first.descriptor.name,
                shape: [ordered.count, first.descriptor.columns])
        }
        return tensors
    }

    /// GGUF's rotary factors, which stand in tensors.
    private static func readRotaryFactors(
        of tensors: OrderedDictionary<TensorRole, any TensorSource>, keys checkpoint: Checkpoint,
        into description: inout DecoderDescription
    ) throws {
        // A configuration that the file keeps says more than its factors.
        guard description.rotary?.scaling == RotaryEmbedding.Scaling.none else { return }
        if let factors = tensors[TensorRole(.rotaryFactors)] {
            description.rotary?.scaling = .factors(try factors.positiveFloats())
        }
        guard let short = tensors[TensorRole(.rotaryFactorsShort)],
            let long = tensors[TensorRole(.rotaryFactorsLong)],
            let architecture = checkpoint.metadata["general.architecture"]?.string
        else { return }
        let keys = GGUFKeys(metadata: checkpoint.metadata, architecture: architecture)
        let original = try keys.count("rope.scaling.original_context_length")
        let attention = try keys.number("rope.scaling.attn_factor") ?? 1
        description.rotary?.scaling = .longRoPE(
            RotaryEmbedding.LongRoPE(
                short: try short.positiveFloats(), long: try long.positiveFloats(),
                originalContext: original ?? description.contextLength,
                attentionFactor: Float(attention)))
    }

    private func checkTensors() throws(ModelError) {
        let roles = description.requiredRoles
        let missing = roles.filter { tensors[$0] == nil }
        guard missing.isEmpty else {
            let names = missing.prefix(5).compactMap { family.name(of: $0, in: checkpoint.dialect) }
            throw ModelError(
                "\(missing.count) tensors are missing: " + names.joined(separator: ", ")
                    + (missing.count > 5 ? ", …" : ""))
        }
        let required = Set(roles)
        for (role, tensor) in tensors {
            let name = tensor.descriptor.name.escapedForDisplay
            guard role.layer ?? 0 < description.layerCount else {
                throw ModelError("tensor '\(name)': the model has \(description.layerCount) layers")
            }
            let expected = description.shape(of: role)
            guard tensor.descriptor.shape == expected else {
                throw ModelError(
                    "tensor '\(name)' has shape \(tensor.descriptor.shape), the configuration "
                        + "demands \(expected)")
            }
            guard required.contains(role) || role.module.isRotaryFactors else {
                throw ModelError("tensor '\(name)' is one that the configuration has no use for")
            }
        }
    }
}

extension TensorRole.Module {
    /// Whether the module is what frequencies are divided by.
    var isRotaryFactors: Bool {
        [.rotaryFactors, .rotaryFactorsShort, .rotaryFactorsLong].contains(self)
    }
}

extension DecoderDescription {
    /// A file's tensor as (outputs, inputs), once its shape is proved.
    func oriented(_ entry: NamedTensors.Entry) throws(ModelError) -> any TensorSource {
        let (layout, tensor) = (entry.layout, entry.tensor)
        let name = tensor.descriptor.name.escapedForDisplay
        if let layer = entry.instance.layer, layer >= layerCount {
            throw ModelError("tensor '\(name)': the model has \(layerCount) layers")
        }
        if let index = entry.instance.index {
            let count = layout.pattern.contains("{expert}") ? experts?.count ?? 0 : headCount
            guard index < count else {
                throw ModelError(
                    "tensor '\(name)' is number \(index) of \(count), counted from 0")
            }
        }
        let expected = layout.shape(of: entry.instance, in: self)
        // Integers of a quantized matrix are (outputs, inputs) whatever the family does with scalars.
        let isTransposed =
            layout.isTransposed && expected.count == 2 && !tensor.descriptor.encoding.isQuantized
        let inFile = isTransposed ? expected.reversed() : expected
        let found = tensor.descriptor.shape
        // Some GGUFs hold a vector as a matrix of one row.
        if inFile.count == 1, found == [1] + inFile {
            return RenamedTensor(tensor, name: tensor.descriptor.name, shape: inFile)
        }
        guard found == inFile else {
            throw ModelError(
                "tensor '\(name)' has shape \(found), the configuration demands \(inFile)")
        }
        return isTransposed ? TransposedTensor(tensor) : tensor
    }
}
