/// Another tensor's rows in another order, gathered as they are read.
///
/// Whole rows move, so this works for every encoding without decoding anything.
public struct PermutedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    private let base: any TensorSource
    private let sourceRow: @Sendable (Int) -> Int

    /// - Parameters:
    ///   - base: the tensor whose rows are shown.
    ///   - sourceRow: maps a row of this tensor to the row of `base` that it shows.
    public init(_ base: any TensorSource, sourceRow: @escaping @Sendable (Int) -> Int) {
        (descriptor, self.base, self.sourceRow) = (base.descriptor, base, sourceRow)
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let rowByteCount = descriptor.rowByteCount
        let gathered = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows.count * rowByteCount, alignment: 64)
        defer { gathered.deallocate() }
        for (index, row) in rows.enumerated() {
            let source = sourceRow(row)
            try base.withBytes(rows: source..<source + 1) { bytes in
                UnsafeMutableRawBufferPointer(
                    rebasing: gathered[index * rowByteCount..<(index + 1) * rowByteCount]
                ).copyMemory(from: bytes)
            }
        }
        return try body(UnsafeRawBufferPointer(gathered))
    }
}

/// Another tensor under another name and shape; the same rows.
public struct RenamedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    private let base: any TensorSource

    /// - Parameters:
    ///   - base: the tensor whose rows are shown.
    ///   - name: what it is called here.
    ///   - shape: dimensions that make as many rows of the same length; nil keeps those of `base`.
    public init(_ base: any TensorSource, name: String, shape: [Int]? = nil) {
        descriptor = base.descriptor.renamed(name, shape: shape ?? base.descriptor.shape)
        self.base = base
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try base.withBytes(rows: rows, body)
    }

    public var bytesInPlace: UnsafeRawBufferPointer? { base.bytesInPlace }
}

/// Some rows of another tensor.
public struct SlicedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    private let base: any TensorSource
    private let firstRow: Int

    /// - Precondition: `base` has the rows.
    public init(_ base: any TensorSource, rows: Range<Int>) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= base.descriptor.rows)
        descriptor = base.descriptor.withRows(rows.count)
        self.base = base
        firstRow = rows.lowerBound
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try base.withBytes(rows: firstRow + rows.lowerBound..<firstRow + rows.upperBound, body)
    }

    public var bytesInPlace: UnsafeRawBufferPointer? {
        let start = firstRow * descriptor.rowByteCount
        return base.bytesInPlace.map {
            UnsafeRawBufferPointer(rebasing: $0[start..<start + descriptor.byteCount])
        }
    }
}

/// The rows of several tensors, one tensor after another.
public struct StackedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    private let parts: [any TensorSource]
    /// The row at which each part starts, and where the last one ends.
    private let starts: [Int]

    /// - Precondition: there is a part, and all have the same columns and encoding.
    public init(_ parts: [any TensorSource]) {
        let first = parts[0].descriptor
        precondition(
            parts.allSatisfy {
                $0.descriptor.columns == first.columns && $0.descriptor.encoding == first.encoding
            })
        self.parts = parts
        starts = parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.descriptor.rows) }
        descriptor = first.withRows(starts[parts.count])
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        // Parts without rows are passed over: the last part that starts at or before the row.
        var part = (starts.dropLast().lastIndex { $0 <= rows.lowerBound }) ?? 0
        if rows.upperBound <= starts[part + 1] {
            let local = rows.lowerBound - starts[part]..<rows.upperBound - starts[part]
            return try parts[part].withBytes(rows: local, body)
        }
        let rowByteCount = descriptor.rowByteCount
        let gathered = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows.count * rowByteCount, alignment: 64)
        defer { gathered.deallocate() }
        var row = rows.lowerBound
        while row < rows.upperBound {
            let end = min(rows.upperBound, starts[part + 1])
            let place = (row - rows.lowerBound) * rowByteCount
            try parts[part].withBytes(rows: row - starts[part]..<end - starts[part]) { bytes in
                UnsafeMutableRawBufferPointer(
                    rebasing: gathered[place..<place + (end - row) * rowByteCount]
                ).copyMemory(from: bytes)
            }
            (row, part) = (end, part + 1)
        }
        return try body(UnsafeRawBufferPointer(gathered))
    }
}

/// A matrix of scalars with rows and columns exchanged, gathered as it is read.
public struct TransposedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    private let base: any TensorSource

    /// - Precondition: `base` has two dimensions and scalar elements.
    public init(_ base: any TensorSource) {
        precondition(base.descriptor.shape.count == 2 && !base.descriptor.encoding.isQuantized)
        descriptor = base.descriptor.transposed
        self.base = base
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let size = descriptor.encoding.bytesPerBlock
        let (columns, baseRowByteCount) = (descriptor.columns, base.descriptor.rowByteCount)
        let gathered = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows.count * descriptor.rowByteCount, alignment: 64)
        defer { gathered.deallocate() }
        // Some rows of the base at a time, so that a cached tensor is not asked for all of them.
        for start in stride(from: 0, to: columns, by: 64) {
            let end = min(columns, start + 64)
            try base.withBytes(rows: start..<end) { bytes in
                for (index, row) in rows.enumerated() {
                    for column in start..<end {
                        let from = (column - start) * baseRowByteCount + row * size
                        let to = (index * columns + column) * size
                        for byte in 0..<size { gathered[to + byte] = bytes[from + byte] }
                    }
                }
            }
        }
        return try body(UnsafeRawBufferPointer(gathered))
    }
}
