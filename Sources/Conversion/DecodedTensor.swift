import BlockFormats
import TensorIR

/// A quantized tensor as 32-bit floats, decoded as it is read.
struct DecodedTensor: TensorSource {
    let descriptor: TensorDescriptor
    private let base: any TensorSource
    private let codec: RowCodec

    /// - Throws: `UnsupportedEncoding`, and `ModelError` for a tensor too large for 32-bit floats.
    init(_ base: any TensorSource) throws {
        let source = base.descriptor
        guard
            let descriptor = TensorDescriptor(
                name: source.name, shape: source.shape, encoding: .scalar(.f32))
        else { throw ModelError("tensor '\(source.name)' is too large to be decoded") }
        self.descriptor = descriptor
        self.base = base
        codec = try RowCodec(source.encoding, columns: source.columns)
    }

    func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let weights = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: rows.count * descriptor.columns)
        defer { weights.deallocate() }
        try base.withBytes(rows: rows) { codec.decode($0, into: weights) }
        return try body(UnsafeRawBufferPointer(weights))
    }
}
