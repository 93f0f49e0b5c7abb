import ByteIO
import TensorIR

/// The form that llama.cpp's `llama-imatrix` writes and `llama-quantize` reads:
///
///     general.type          "imatrix"
///     imatrix.datasets      names of the texts
///     imatrix.chunk_count   windows, 32 bits
///     imatrix.chunk_size    tokens in a window, 32 bits
///     <tensor>.in_sum2      F32 (matrices, columns): Σ x²
///     <tensor>.counts       F32 (matrices, 1): tokens in the sums
extension ImportanceMatrix {
    private enum Key {
        static let type = "general.type"
        static let typeName = "imatrix"
        static let datasets = "imatrix.datasets"
        static let windowCount = "imatrix.chunk_count"
        static let windowSize = "imatrix.chunk_size"
        static let sums = ".in_sum2"
        static let counts = ".counts"
    }

    /// Reads what a GGUF file holds.
    /// - Throws: `FormatError` naming the key or tensor at fault; what reading the tensors throws.
    public init(_ checkpoint: Checkpoint) throws {
        guard checkpoint.dialect == .gguf,
            checkpoint.metadata[Key.type]?.string == Key.typeName
        else {
            throw FormatError(
                .missing, in: "key '\(Key.type)'", at: 0,
                "is not '\(Key.typeName)', so this is no importance matrix", path: checkpoint.path)
        }
        self.init(
            datasets: checkpoint.metadata[Key.datasets]?.strings ?? [],
            windowCount: Self.bounded(checkpoint.metadata[Key.windowCount]),
            windowSize: Self.bounded(checkpoint.metadata[Key.windowSize]))

        var counts: [ExactString: [Float]] = [:]
        for tensor in checkpoint.tensors where tensor.descriptor.name.hasSuffix(Key.counts) {
            let name = String(tensor.descriptor.name.dropLast(Key.counts.count))
            counts[name] = try Self.floats(of: tensor, path: checkpoint.path)
        }
        for tensor in checkpoint.tensors where tensor.descriptor.name.hasSuffix(Key.sums) {
            let name = String(tensor.descriptor.name.dropLast(Key.sums.count))
            let sums = try Self.floats(of: tensor, path: checkpoint.path)
            guard let counts = counts[name], !counts.isEmpty,
                tensor.descriptor.rows == counts.count, sums.count % counts.count == 0
            else {
                throw FormatError(
                    .inconsistent, in: "tensor '\(tensor.descriptor.name.escapedForDisplay)'",
                    at: 0,
                    "has no '\(Key.counts)' of the same number of matrices", path: checkpoint.path)
            }
            entries[name] = Entry(sumsOfSquares: sums, counts: counts)
        }
    }

    /// A number of windows or tokens, small enough for the product of two.
    private static func bounded(_ value: MetadataValue?) -> Int {
        min(max(0, value?.integer ?? 0), Int(Int32.max))
    }

    /// The numbers of an F32 tensor, none of which may be negative, infinite or undefined: they are
    /// sums of squares, and counts.
    private static func floats(of tensor: any TensorSource, path: String) throws -> [Float] {
        let subject = "tensor '\(tensor.descriptor.name.escapedForDisplay)'"
        guard tensor.descriptor.encoding == .scalar(.f32) else {
            throw FormatError(
                .inconsistent, in: subject, at: 0,
                "is \(tensor.descriptor.encoding) where F32 belongs", path: path)
        }
        let values = try tensor.withBytes(rows: 0..<tensor.descriptor.rows) { bytes in
            (0..<tensor.descriptor.count).map { index in
                Float(
                    bitPattern: UInt32(
                        littleEndian: bytes.loadUnaligned(
                            fromByteOffset: index * 4, as: UInt32.self)))
            }
        }
        guard values.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw FormatError(
                .inconsistent, in: subject, at: 0, "has a negative or undefined element", path: path
            )
        }
        return values
    }

    /// What a GGUF file is to hold, in a fixed order; `init(_:)` reads it back.
    public func checkpoint(path: String = "") -> Checkpoint {
        var metadata: Metadata = [:]
        metadata[Key.type] = .string(Key.typeName)
        metadata[Key.datasets] = .array(.string(datasets))
        metadata[Key.windowCount] = .uint32(UInt32(clamping: windowCount))
        metadata[Key.windowSize] = .uint32(UInt32(clamping: windowSize))
        var tensors: [any TensorSource] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let matrices = entry.counts.count
            tensors.append(
                Self.tensor(name.string + Key.sums, [matrices, entry.columns], entry.sumsOfSquares))
            tensors.append(Self.tensor(name.string + Key.counts, [matrices, 1], entry.counts))
        }
        return Checkpoint(path: path, dialect: .gguf, metadata: metadata, tensors: tensors)
    }

    private static func tensor(_ name: String, _ shape: [Int], _ values: [Float]) -> BufferedTensor
    {
        guard let descriptor = TensorDescriptor(name: name, shape: shape, encoding: .scalar(.f32))
        else { preconditionFailure("an array's size is known") }
        let bytes = values.flatMap { value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
        }
        return BufferedTensor(descriptor, bytes: bytes)
    }
}
