import ByteIO
import TensorIR

/// A model's name and size, as every report states it.
public struct ModelSummary: Sendable, Hashable {
    /// As the user gave it, or the name of a bundled model.
    public let path: String
    /// Of the files that hold the tensors.
    public let byteCount: Int
    /// Weights in all tensors together.
    public let parameterCount: Int
    /// Bits of the tensors over their weights; what the file holds beside them does not count.
    public let bitsPerWeight: Double
    /// How much of the model is stored in which encoding, the largest first.
    public let encodings: [EncodingShare]

    /// The tensors that share an encoding.
    public struct EncodingShare: Sendable, Hashable {
        public let encoding: Encoding
        public let tensorCount: Int
        public let parameterCount: Int
        public let byteCount: Int

        public var bitsPerWeight: Double { Double(byteCount) * 8 / Double(max(1, parameterCount)) }
    }

    public init(path: String, byteCount: Int, tensors: [TensorDescriptor]) {
        self.path = path
        self.byteCount = byteCount
        encodings = EncodingShare.shares(of: tensors)
        parameterCount = encodings.reduce(0) { $0 + $1.parameterCount }
        let tensorBytes = encodings.reduce(0) { $0 + $1.byteCount }
        bitsPerWeight = Double(tensorBytes) * 8 / Double(max(1, parameterCount))
    }

    /// - Parameters:
    ///   - checkpoint: the model.
    ///   - name: what to call it; its path by default.
    public init(_ checkpoint: Checkpoint, name: String? = nil) {
        self.init(
            path: name ?? checkpoint.path, byteCount: checkpoint.byteCount,
            tensors: checkpoint.tensors.map(\.descriptor))
    }

    /// Without weights for stored predictions, which have none.
    public var json: JSON {
        guard parameterCount > 0 else {
            return ["path": .string(path), "bytes": .integer(byteCount)]
        }
        return [
            "path": .string(path),
            "bytes": .integer(byteCount),
            "parameters": .integer(parameterCount),
            "bits_per_weight": .number(bitsPerWeight),
        ]
    }
}

extension ModelSummary.EncodingShare {
    /// One share per encoding, the one with the most bytes first.
    public static func shares(of tensors: [TensorDescriptor]) -> [Self] {
        Dictionary(grouping: tensors, by: \.encoding)
            .map { encoding, tensors in
                Self(
                    encoding: encoding, tensorCount: tensors.count,
                    parameterCount: tensors.reduce(0) { $0 + $1.count },
                    byteCount: tensors.reduce(0) { $0 + $1.byteCount })
            }
            .sorted {
                ($1.byteCount, $0.encoding.description) < ($0.byteCount, $1.encoding.description)
            }
    }

    public var json: JSON {
        [
            "encoding": .string(encoding.description),
            "tensors": .integer(tensorCount),
            "parameters": .integer(parameterCount),
            "bytes": .integer(byteCount),
            "bits_per_weight": .number(bitsPerWeight),
        ]
    }

    /// The shares as rows of a table.
    package static func table(_ shares: [Self]) -> TextTable {
        var table = TextTable(
            ("encoding", .left), ("tensors", .right), ("weights", .right), ("size", .right),
            ("bits per weight", .right))
        for share in shares {
            table.add(
                share.encoding.description, String(share.tensorCount),
                NumberFormatting.grouped(share.parameterCount),
                NumberFormatting.byteCount(share.byteCount),
                NumberFormatting.fixed(share.bitsPerWeight, decimals: 2))
        }
        return table
    }
}
