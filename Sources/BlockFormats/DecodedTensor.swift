import TensorIR

/// A tensor as 32-bit floats, decoded as it is read, and multiplied by row and by column if asked.
package struct DecodedTensor: TensorSource {
    package let descriptor: TensorDescriptor
    private let base: any TensorSource
    private let codec: RowCodec
    private let rowFactors: [Float]?
    private let columnFactors: [Float]?

    /// - Parameters:
    ///   - base: the tensor that is shown.
    ///   - rowFactors: what each row is multiplied by, if anything.
    ///   - columnFactors: what each column is multiplied by; of a vector, each element.
    /// - Throws: `UnsupportedEncoding`, and `ModelError` for a tensor too large for 32-bit floats.
    package init(
        _ base: any TensorSource, rowFactors: [Float]? = nil, columnFactors: [Float]? = nil
    ) throws {
        let source = base.descriptor
        precondition(rowFactors == nil || rowFactors?.count == source.rows)
        precondition(columnFactors == nil || columnFactors?.count == source.columns)
        guard
            let descriptor = TensorDescriptor(
                name: source.name, shape: source.shape, encoding: .scalar(.f32))
        else { throw ModelError("tensor '\(source.name)' is too large to be decoded") }
        self.descriptor = descriptor
        self.base = base
        (self.rowFactors, self.columnFactors) = (rowFactors, columnFactors)
        codec = try RowCodec(source.encoding, columns: source.columns)
    }

    package func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let weights = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: rows.count * descriptor.columns)
        defer { weights.deallocate() }
        try base.withBytes(rows: rows) { codec.decode($0, into: weights) }
        scale(weights, rows: rows)
        return try body(UnsafeRawBufferPointer(weights))
    }

    private func scale(_ weights: UnsafeMutableBufferPointer<Float>, rows: Range<Int>) {
        let columns = descriptor.columns
        for (index, row) in rows.enumerated() {
            let place = index * columns..<(index + 1) * columns
            if let factor = rowFactors?[row] {
                for element in place { weights[element] *= factor }
            }
            columnFactors?.withUnsafeBufferPointer { factors in
                for (factor, element) in zip(factors, place) { weights[element] *= factor }
            }
        }
    }
}
