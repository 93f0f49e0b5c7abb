import ByteIO
import TensorIR

/// The layout of Formats/References/SPECIFICATION.md: metadata and five tensors.
extension StoredReference {
    private static let versionKey: ExactString = "detent.reference.version"
    private static let vocabularyKey: ExactString = "detent.reference.vocabulary"
    private static let contextKey: ExactString = "detent.reference.ctx"
    private static let thresholdKey: ExactString = "detent.reference.threshold"
    private static let version: UInt32 = 1

    /// Whether a container says that it holds stored predictions, and no model.
    package static func isStored(in checkpoint: Checkpoint) -> Bool {
        checkpoint.metadata[versionKey] != nil
    }

    /// Turns what a file claims into facts, so that no comparison can fail later.
    ///
    /// - Parameter checkpoint: what `isStored` says yes to.
    /// - Throws: `FormatError` for what contradicts the specification, and what reading the tensors throws.
    package init(_ checkpoint: Checkpoint) throws {
        func number(_ key: ExactString, in range: ClosedRange<UInt32>) throws(FormatError) -> Int {
            guard case .uint32(let value)? = checkpoint.metadata[key] else {
                throw FormatError(.missing, in: "metadata", at: 0, "have no number '\(key.string)'")
            }
            guard range.contains(value) else {
                throw FormatError(
                    key == Self.versionKey ? .unsupportedVersion : .inconsistent,
                    in: "'\(key.string)'", at: 0,
                    "is \(value), not within \(range.lowerBound) and \(range.upperBound)")
            }
            return Int(value)
        }
        _ = try number(Self.versionKey, in: Self.version...Self.version)
        // Half of what a UInt32 counts, so that ids fit in an Int32, and sums of gaps in an Int.
        vocabularySize = try number(Self.vocabularyKey, in: 1...UInt32(Int32.max))
        context = try number(Self.contextKey, in: 4...1 << 24)
        threshold = UInt16(try number(Self.thresholdKey, in: 0...UInt32(UInt16.max)))

        let tokens: StoredTensor<Int32> = try StoredTensor("tokens", .i32, in: checkpoint)
        guard tokens.shape.count == 2, tokens.shape[1] == context, tokens.shape[0] > 0 else {
            throw tokens.fault("is not of shape (windows, \(context))")
        }
        let vocabulary = 0..<Int32(vocabularySize)
        guard tokens.values.allSatisfy(vocabulary.contains) else {
            throw tokens.fault("has a token that the vocabulary lacks")
        }
        let windows = stride(from: 0, to: tokens.values.count, by: tokens.shape[1]).map {
            Array(tokens.values[$0..<$0 + tokens.shape[1]])
        }
        self.windows = windows

        let rows = [windows.count, Self.rowsPerWindow(context: context)]
        let losses: StoredTensor<UInt32> = try StoredTensor(
            "losses", .f32, in: checkpoint, shape: rows)
        self.losses = losses.values.map(Float.init(bitPattern:))
        guard self.losses.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
            throw losses.fault("has a loss that is negative or not finite")
        }
        let counts: StoredTensor<UInt32> = try StoredTensor(
            "counts", .u32, in: checkpoint, shape: rows)
        let possibleCounts = 1...UInt32(vocabularySize)
        guard counts.values.allSatisfy(possibleCounts.contains) else {
            throw counts.fault("has a row of no tokens, or of more than the vocabulary")
        }
        // Rows are at most the bytes of the file, and each counts to 2³¹ at most.
        let starts = counts.values.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int($1)) }
        let total = starts[starts.count - 1]
        let gaps: StoredTensor<UInt32> = try StoredTensor(
            "gaps", .u32, in: checkpoint, shape: [total])
        let codes: StoredTensor<UInt16> = try StoredTensor(
            "codes", .u16, in: checkpoint, shape: [total])
        (self.starts, self.codes) = (starts, codes.values)
        ids = try Self.ids(gaps, starts: starts, vocabularySize: vocabularySize)
        guard checkpoint.tensors.count == 5 else {
            throw FormatError(
                .inconsistent, in: "tensors", at: 0, "are \(checkpoint.tensors.count), not 5")
        }
    }

    private static func ids(
        _ gaps: StoredTensor<UInt32>, starts: [Int], vocabularySize: Int
    ) throws(FormatError) -> [UInt32] {
        var ids = gaps.values
        for row in 0..<starts.count - 1 {
            var next = 0
            for place in starts[row]..<starts[row + 1] {
                // Both are below 2³².
                let id = next + Int(ids[place])
                guard id < vocabularySize else {
                    throw gaps.fault("leads to token \(id) of \(vocabularySize) in row \(row)")
                }
                ids[place] = UInt32(id)
                next = id + 1
            }
        }
        return ids
    }

    /// The container to write.
    package var checkpoint: Checkpoint {
        let rows = [windows.count, Self.rowsPerWindow(context: context)]
        var gaps = ids
        for row in 0..<starts.count - 1 {
            for place in (starts[row] + 1..<max(starts[row] + 1, starts[row + 1])) {
                gaps[place] = ids[place] - ids[place - 1] - 1
            }
        }
        func tensor<Element: FixedWidthInteger>(
            _ name: String, _ type: ScalarType, _ shape: [Int], _ values: [Element]
        ) -> any TensorSource {
            let bytes = values.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
            guard
                let descriptor = TensorDescriptor(
                    name: name, shape: shape, encoding: .scalar(type))
            else { preconditionFailure("arrays in memory have a size that can be stated") }
            return BufferedTensor(descriptor, bytes: bytes)
        }
        return Checkpoint(
            path: "", dialect: .gguf,
            metadata: [
                Self.versionKey: .uint32(Self.version),
                Self.vocabularyKey: .uint32(UInt32(vocabularySize)),
                Self.contextKey: .uint32(UInt32(context)),
                Self.thresholdKey: .uint32(UInt32(threshold)),
            ],
            tensors: [
                tensor("tokens", .i32, [windows.count, context], windows.flatMap { $0 }),
                tensor("losses", .f32, rows, losses.map(\.bitPattern)),
                tensor(
                    "counts", .u32, rows,
                    zip(starts, starts.dropFirst()).map { UInt32($1 - $0) }),
                tensor("gaps", .u32, [ids.count], gaps),
                tensor("codes", .u16, [ids.count], codes),
            ])
    }
}

/// A tensor of whole numbers, read and held against the type and shape that it should have.
private struct StoredTensor<Element: FixedWidthInteger & Sendable> {
    let name: String
    let shape: [Int]
    let values: [Element]

    init(
        _ name: String, _ type: ScalarType, in checkpoint: Checkpoint, shape: [Int]? = nil
    ) throws {
        self.name = name
        guard let tensor = checkpoint.tensors.first(where: { $0.descriptor.name == name }) else {
            throw FormatError(.missing, in: "tensor '\(name)'", at: 0, "is not there")
        }
        self.shape = tensor.descriptor.shape
        guard tensor.descriptor.encoding == .scalar(type), shape ?? self.shape == self.shape
        else {
            throw FormatError(
                .inconsistent, in: "tensor '\(name)'", at: 0,
                "is not of type \(type.rawValue), or of another shape than "
                    + "\(shape.map(String.init(describing:)) ?? "(windows, ctx)")")
        }
        let size = MemoryLayout<Element>.size
        values = try tensor.bytes().withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: size).map {
                Element(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Element.self))
            }
        }
    }

    func fault(_ detail: String) -> FormatError {
        FormatError(.inconsistent, in: "tensor '\(name)'", at: 0, detail)
    }
}
