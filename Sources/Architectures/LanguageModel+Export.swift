import ByteIO
import TensorIR

extension LanguageModel {
    /// A tensor as another dialect names and orders it.
    public struct ExportedTensor: Sendable {
        public let role: TensorRole
        /// Renamed, and with its rows in the dialect's order; still in the source's encoding.
        public let source: any TensorSource
    }

    /// All tensors under the names of `dialect`, in the order in which its own tools write them.
    ///
    /// GGUF: what stands outside the layers, then layer by layer, by name, as llama.cpp's quantizer does.
    /// Hugging Face: by the family's own order.
    public func exportedTensors(to dialect: Checkpoint.Dialect) throws -> [ExportedTensor] {
        var exported: [ExportedTensor] = []
        for (role, tensor) in tensors {
            guard let name = family.name(of: role, in: dialect) else { continue }
            exported.append(
                ExportedTensor(
                    role: role,
                    source: RenamedTensor(
                        try reordered(tensor, role: role, for: dialect), name: name)))
        }
        if dialect == .gguf, tensors[TensorRole(.rotaryFactors)] == nil,
            case .llama3 = description.rotary.scaling
        {
            exported.append(try rotaryFactors())
        }
        switch dialect {
        case .gguf:
            return exported.sorted {
                let (first, second) = ($0.role.layer ?? -1, $1.role.layer ?? -1)
                guard first == second else { return first < second }
                return $0.source.descriptor.name.utf8.lexicographicallyPrecedes(
                    $1.source.descriptor.name.utf8)
            }
        case .huggingFace:
            return exported.sorted { ($0.role.layer ?? -1) < ($1.role.layer ?? -1) }
        }
    }

    /// How the rows of queries and keys are paired in `dialect`.
    private func pairing(in dialect: Checkpoint.Dialect) -> RotaryEmbedding.Pairing {
        dialect == .gguf ? family.ggufPairing : .halves
    }

    /// A role's tensor, given with its rows in this model's order, in the order of `dialect`.
    public func reordered(
        _ tensor: any TensorSource, role: TensorRole, for dialect: Checkpoint.Dialect
    ) throws -> any TensorSource {
        let target = pairing(in: dialect)
        guard [.query, .key].contains(role.module), target != description.rotary.pairing else {
            return tensor
        }
        let headSize = description.headSize
        let sourceRow = { @Sendable (row: Int) in
            RotaryEmbedding.sourceRow(of: row, headSize: headSize, to: target)
        }
        guard role.parameter == .bias else { return PermutedTensor(tensor, sourceRow: sourceRow) }
        // A bias is one row; its elements move.
        let bytes = try tensor.bytes()
        let size = tensor.descriptor.encoding.bytesPerBlock
        let moved = (0..<tensor.descriptor.columns).flatMap {
            bytes[sourceRow($0) * size..<(sourceRow($0) + 1) * size]
        }
        return BufferedTensor(tensor.descriptor, bytes: moved)
    }

    private func rotaryFactors() throws -> ExportedTensor {
        let role = TensorRole(.rotaryFactors)
        let divisors = description.rotary.divisors
        guard let name = family.name(of: role, in: .gguf),
            let descriptor = TensorDescriptor(
                name: name, shape: [divisors.count], encoding: .scalar(.f32))
        else { throw ModelError("the rotary factors have no name in GGUF") }
        let bytes = divisors.flatMap { value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
        }
        return ExportedTensor(role: role, source: BufferedTensor(descriptor, bytes: bytes))
    }

    /// GGUF's key-values of the architecture, without those of the tokenizer.
    public func architectureMetadata() -> Metadata { family.metadata(description) }

    /// The members of a Hugging Face configuration that the architecture decides.
    public func configurationMembers() throws(ModelError) -> [(String, JSON)] {
        [
            ("architectures", .array([.string(family.className)])),
            ("model_type", .string(family.modelTypes[0])),
        ] + (try family.configuration(description))
    }
}
