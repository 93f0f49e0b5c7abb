/// A tensor's name, shape and encoding; the weights are elsewhere.
public struct TensorDescriptor: Sendable, Hashable {
    public let name: String
    /// Outermost dimension first. A scalar has no dimensions.
    public let shape: [Int]
    public let encoding: Encoding
    /// Bytes of all rows together.
    public let byteCount: Int
    /// Bytes of one row, which is a run along the last dimension.
    public let rowByteCount: Int

    /// Describes a tensor, or returns nil when its size cannot be stated: a negative dimension, rows that
    /// are not whole blocks, more weights or bytes than an `Int` counts, or a dimension of zero that hides
    /// others of more than 2³¹ − 1 together.
    public init?(name: String, shape: [Int], encoding: Encoding) {
        guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
        var product = 1
        for dimension in shape where dimension > 0 {
            let (larger, overflow) = product.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            product = larger
        }
        // No file is too small for 2⁶² rows of no columns. A loop over them would never end, and a
        // buffer for a row of 2⁶² columns could not be made, though neither holds a single weight.
        guard !shape.contains(0) || product <= Int32.max else { return nil }

        guard let rowByteCount = encoding.byteCount(ofRow: shape.last ?? 1) else { return nil }
        let rows = shape.dropLast().contains(0) ? 0 : product / max(1, shape.last ?? 1)
        let (byteCount, overflow) = rows.multipliedReportingOverflow(by: rowByteCount)
        guard !overflow else { return nil }
        self.name = name
        self.shape = shape
        self.encoding = encoding
        self.byteCount = byteCount
        self.rowByteCount = rowByteCount
    }

    /// Weights in a row: the last dimension, 1 for a scalar.
    public var columns: Int { shape.last ?? 1 }
    /// Rows: the product of all dimensions but the last.
    public var rows: Int { shape.dropLast().reduce(1, *) }
    /// Weights altogether.
    public var count: Int { rows * columns }

    /// The same tensor under another name, and in another shape of the same rows.
    /// - Precondition: `shape` makes as many rows of the same length.
    public func renamed(_ name: String, shape: [Int]? = nil) -> TensorDescriptor {
        let shape = shape ?? self.shape
        precondition(shape == self.shape || (shape.last ?? 1) == columns)
        precondition(shape.dropLast().reduce(1, *) == rows)
        return TensorDescriptor(name: name, validShape: shape, encoding, rowByteCount)
    }

    /// A matrix of other rows of the same kind.
    /// - Precondition: `count` rows of this tensor's length can be stored.
    func withRows(_ count: Int) -> TensorDescriptor {
        TensorDescriptor(name: name, validShape: [count, columns], encoding, rowByteCount)
    }

    /// The matrix with its dimensions exchanged.
    /// - Precondition: two dimensions, scalar elements.
    public var transposed: TensorDescriptor {
        TensorDescriptor(
            name: name, validShape: [columns, rows], encoding, rows * encoding.bytesPerBlock)
    }

    private init(
        name: String, validShape shape: [Int], _ encoding: Encoding, _ rowByteCount: Int
    ) {
        (self.name, self.shape, self.encoding) = (name, shape, encoding)
        self.rowByteCount = rowByteCount
        byteCount = shape.dropLast().reduce(1, *) * rowByteCount
    }
}
