import ByteIO
import OrderedCollections
import TensorIR

extension LanguageModel {
    /// A tensor as another dialect names, packs and orders it.
    public struct ExportedTensor: Sendable {
        /// Under the dialect's name, (outputs, inputs), still in the source's encoding.
        public let source: any TensorSource
        /// What it is made of, in its order.
        public let roles: [TensorRole]
        /// Rows of `source` that one pass over the calibration text serves: all, or those of one expert.
        public let pieces: [Piece]
        /// Whether the dialect holds scalars of this tensor as (inputs, outputs).
        public let isTransposed: Bool
        fileprivate let layout: TensorLayout?
        fileprivate let instance: TensorLayout.Instance

        /// Whether it is a matrix of a linear layer, which may be quantized.
        public var isLinear: Bool {
            instance.parameter == .weight && roles.allSatisfy(\.module.isLinear)
        }
    }

    /// Rows of an exported tensor whose matrices see the same inputs.
    public struct Piece: Sendable {
        public let roles: [TensorRole]
        public let rows: Range<Int>
    }

    /// All tensors under the names of `dialect`, in the order in which its own tools write them.
    ///
    /// GGUF: what stands outside the layers, then layer by layer, by name, as llama.cpp's quantizer does.
    /// Hugging Face: by the family's own order.
    /// - Throws: `ModelError` where the dialect has no place for a tensor.
    public func exportedTensors(to dialect: Checkpoint.Dialect) throws -> [ExportedTensor] {
        if dialect == .gguf, family.ggufArchitecture == nil {
            throw ModelError(
                "llama.cpp has no architecture for model type '\(family.modelType)', so there is "
                    + "no GGUF of it; write a Hugging Face folder")
        }
        let tensors = dialect == .gguf ? try tensorsForLoader() : tensors
        var exported: [ExportedTensor] = []
        for layout in family.tensors(in: dialect) where layout.isUsed(description) {
            for instance in layout.instances(in: description) {
                if let tensor = try export(layout, instance, of: tensors, to: dialect) {
                    exported.append(tensor)
                }
            }
        }
        let placed = Set(exported.flatMap(\.roles))
        if let left = tensors.keys.first(where: {
            !placed.contains($0) && !$0.module.isRotaryFactors
        }) {
            throw ModelError(
                "'\(left.module.rawValue)'\(left.layer.map { " of layer \($0)" } ?? "") has no "
                    + "place in \(dialect == .gguf ? "GGUF" : "Hugging Face") files of "
                    + "'\(family.modelType)'")
        }
        switch dialect {
        case .gguf:
            exported += try rotaryFactors(beside: placed)
            return exported.sorted {
                let (first, second) = ($0.instance.layer ?? -1, $1.instance.layer ?? -1)
                guard first == second else { return first < second }
                return $0.source.descriptor.name.utf8.lexicographicallyPrecedes(
                    $1.source.descriptor.name.utf8)
            }
        case .huggingFace:
            return exported.sorted { ($0.instance.layer ?? -1) < ($1.instance.layer ?? -1) }
        }
    }

    private func export(
        _ layout: TensorLayout, _ instance: TensorLayout.Instance,
        of tensors: OrderedDictionary<TensorRole, any TensorSource>, to dialect: Checkpoint.Dialect
    ) throws -> ExportedTensor? {
        let roles = layout.roles(of: instance, expertCount: description.experts?.count ?? 0)
        let parts = roles.compactMap { tensors[$0] }
        guard !parts.isEmpty else { return nil }
        let name = layout.name(of: instance)
        guard parts.count == roles.count else {
            throw ModelError(
                "tensor '\(name)': \(parts.count) of its \(roles.count) parts are there")
        }
        let encodings = Set(parts.map(\.descriptor.encoding))
        guard encodings.count == 1 else {
            throw ModelError(
                "tensor '\(name)' would be made of parts in different encodings: "
                    + encodings.map { "\($0)" }.sorted().joined(separator: ", "))
        }
        let source = try layout.pack(
            zip(roles, parts).map { try converted($1, role: $0, for: dialect) }, instance,
            in: description)
        let rows = source.descriptor.rows
        var pieces = [Piece(roles: roles, rows: 0..<rows)]
        if case .experts = layout.content {
            let height = rows / roles.count
            pieces = roles.enumerated().map {
                Piece(roles: [$1], rows: $0 * height..<($0 + 1) * height)
            }
        }
        return ExportedTensor(
            source: source, roles: roles, pieces: pieces,
            isTransposed: layout.isTransposed && instance.parameter == .weight, layout: layout,
            instance: instance)
    }

    /// The tensors with those that llama.cpp's loader insists on: an output matrix where the embedding
    /// doubles as one, biases of zero where there are none.
    private func tensorsForLoader() throws -> OrderedDictionary<TensorRole, any TensorSource> {
        var tensors = tensors
        if family.loader.needsOutput, description.isOutputTied {
            tensors[TensorRole(.output)] = tensors[TensorRole(.tokenEmbedding)]
        }
        for module in family.loader.neededBiases where !description.biases.contains(module) {
            for layer in description.layers.indices {
                let role = TensorRole(module, layer: layer, .bias)
                let zeros = [Float](repeating: 0, count: description.shape(of: role)[0])
                tensors[role] = try BufferedTensor(module.rawValue, floats: zeros)
            }
        }
        return tensors
    }

    /// A piece of an exported tensor, made of other matrices for its roles.
    ///
    /// - Parameters:
    ///   - piece: which rows.
    ///   - tensor: the tensor that they belong to.
    ///   - parts: for each of the piece's roles a matrix in this model's row order, all in one encoding.
    ///   - dialect: the dialect that the tensor was exported to.
    /// - Returns: the rows in the dialect's order.
    /// - Throws: what reading the parts throws.
    public func repacked(
        _ piece: Piece, of tensor: ExportedTensor, parts: [any TensorSource],
        for dialect: Checkpoint.Dialect
    ) throws -> any TensorSource {
        let ordered = try zip(piece.roles, parts).map { role, part in
            try reordered(part, role: role, for: dialect)
        }
        guard let layout = tensor.layout, tensor.pieces.count == 1 else { return ordered[0] }
        return try layout.pack(ordered, tensor.instance, in: description)
    }

    /// A role's tensor with its rows and its gains as `dialect` holds them.
    private func converted(
        _ tensor: any TensorSource, role: TensorRole, for dialect: Checkpoint.Dialect
    ) throws -> any TensorSource {
        let offset = description.norm.gainOffset - family.gainOffset(in: dialect)
        if role.module.isNorm, role.parameter == .weight, offset != 0 {
            let name = tensor.descriptor.name
            return try BufferedTensor(name, floats: tensor.floats().map { $0 + offset })
        }
        return try reordered(tensor, role: role, for: dialect)
    }

    /// A role's tensor, given with its rows in this model's order, in the order of `dialect`.
    private func reordered(
        _ tensor: any TensorSource, role: TensorRole, for dialect: Checkpoint.Dialect
    ) throws -> any TensorSource {
        let target = family.pairing(in: dialect)
        guard [.query, .key].contains(role.module), let rotary = description.rotary,
            target != rotary.pairing
        else { return tensor }
        let headSize = description.headSize
        let isVector = tensor.descriptor.shape.count == 1
        return try PermutedTensor(tensor.elementsAsRows(if: isVector)) { row in
            rotary.sourceRow(of: row, headSize: headSize, to: target)
        }.rowsAsElements(if: isVector)
    }

    /// The divisors of the rotary frequencies, which GGUF holds as tensors.
    private func rotaryFactors(beside placed: Set<TensorRole>) throws -> [ExportedTensor] {
        var factors: [(TensorRole.Module, [Float])] = []
        switch description.rotary?.scaling {
        case .llama3:
            factors.append((.rotaryFactors, description.rotary?.divisors(positionCount: 0) ?? []))
        case .longRoPE(let longRoPE):
            factors.append((.rotaryFactorsShort, longRoPE.short))
            factors.append((.rotaryFactorsLong, longRoPE.long))
        default: break
        }
        return try factors.compactMap { module, values in
            let role = TensorRole(module)
            guard !placed.contains(role), let name = family.name(of: role, in: .gguf) else {
                return nil
            }
            return ExportedTensor(
                source: try BufferedTensor(name, floats: values), roles: [role],
                pieces: [Piece(roles: [role], rows: 0..<1)], isTransposed: false, layout: nil,
                instance: TensorLayout.Instance(parameter: .weight))
        }
    }
}

extension LanguageModel {
    /// GGUF's key-values of the architecture, without those of the tokenizer.
    ///
    /// What GGUF's keys cannot say is said by `detent.configuration`, a Hugging Face configuration that
    /// only Detent reads.
    /// - Returns: the key-values, and for people the properties that only Detent will see.
    public func architectureMetadata() throws -> (metadata: Metadata, notes: [String]) {
        var metadata = family.metadata(description)
        let architecture = family.ggufArchitecture ?? ""
        let keys = GGUFKeys(metadata: metadata, architecture: architecture)
        let present = Set(
            try tensorsForLoader().keys.flatMap { role in
                [role.layer, nil].map { TensorRole(role.module, layer: $0, role.parameter) }
            })
        var read = try family.describe(keys, present: present)
        var stated = description.inGGUF(of: family)
        // These travel in tensors, from which a rule must be found again.
        if family.name(of: TensorRole(.rotaryFactors), in: .gguf) != nil {
            switch stated.rotary?.scaling {
            case .longRoPE, .factors: stated.rotary?.scaling = .none
            case .llama3(let factor, let low, let high, let context):
                read.rotary?.scaling = .llama3(
                    factor: factor, lowFrequency: low, highFrequency: high,
                    originalContext: context)
            default: break
            }
        }
        let isRuleLost = description.rotary?.isRuleLost ?? false
        var notes: [String] = []
        if let window = description.window, !family.loader.knowsWindows {
            notes.append(
                "llama.cpp knows no sliding window of architecture '\(architecture)': beyond "
                    + "\(window) tokens it attends to more than the model does")
        }
        let difference = stated.firstDifference(from: read)
        guard difference != nil || isRuleLost else { return (metadata, notes) }
        let members = try family.configuration(description)
        let text = JSON.object(members).text()
        metadata[ExactString(Family.configurationKey)] = .string(text)
        if let difference {
            notes.append(
                "GGUF has no key for this model's \(difference): llama.cpp will compute something "
                    + "else or refuse the file; Detent reads '\(Family.configurationKey)'")
        }
        return (metadata, notes)
    }

    /// The members of a Hugging Face configuration that the architecture decides.
    public func configurationMembers() throws(ModelError) -> JSON.Members {
        try family.configuration(description)
    }
}
