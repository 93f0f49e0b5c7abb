import ByteIO
import TensorIR

/// What a file says about one tensor, well formed but not yet held against the data.
///
///     size  field
///     8+n   name: length, then UTF-8
///        4  number of dimensions, 0 to 4
///     8 × d  dimensions, innermost first
///        4  type, a number of `enum ggml_type`
///        8  offset, in bytes from the start of the data section
struct GGUFTensorClaim {
    let descriptor: TensorDescriptor
    /// Bytes from the start of the data section.
    let offset: UInt64
    /// Where the offset stands, in bytes from the start of the file.
    let offsetField: Int

    /// The fewest bytes that an entry takes.
    static let minimumByteCount = 24

    /// Reads one entry; `number` is what errors call the tensor until its name is known.
    init(_ reader: inout ByteReader, number: Int) throws(FormatError) {
        reader.subject = "tensor \(number)"
        let name = try GGUFTensorClaim.name(&reader)
        reader.subject = "tensor '\(name.escapedForDisplay)'"
        let shape = try GGUFTensorClaim.shape(&reader)
        let encoding = try GGUFTensorClaim.encoding(&reader)
        guard let descriptor = TensorDescriptor(name: name, shape: shape, encoding: encoding) else {
            let (columns, block) = (shape.last ?? 1, encoding.weightsPerBlock)
            guard columns.isMultiple(of: block) else {
                throw reader.failure(
                    .inconsistent,
                    "rows of \(columns) weights are not whole blocks of \(block) (\(encoding))")
            }
            throw reader.failure(.limitExceeded, "shape \(shape) is too large")
        }
        self.descriptor = descriptor
        offsetField = reader.offset
        offset = try reader.integer(UInt64.self)
    }

    private static func name(_ reader: inout ByteReader) throws(FormatError) -> String {
        let start = reader.offset
        let bytes = try reader.take(reader.count(ofElementsAtLeast: 1))
        guard bytes.count <= GGUF.maximumTensorNameByteCount else {
            throw FormatError(
                .limitExceeded, in: reader.subject, at: start,
                "its name has \(bytes.count) bytes, the limit is \(GGUF.maximumTensorNameByteCount)"
            )
        }
        guard let name = String(utf8: bytes) else {
            throw FormatError(.malformed, in: reader.subject, at: start, "its name is not UTF-8")
        }
        return name
    }

    private static func shape(_ reader: inout ByteReader) throws(FormatError) -> [Int] {
        let start = reader.offset
        let count = try reader.integer(UInt32.self)
        guard count <= GGUF.maximumDimensionCount else {
            throw FormatError(
                .limitExceeded, in: reader.subject, at: start,
                "has \(count) dimensions, the limit is \(GGUF.maximumDimensionCount)")
        }
        var dimensions: [Int] = []
        for _ in 0..<count {
            let start = reader.offset
            let claimed = try reader.integer(UInt64.self)
            guard let dimension = Int(exactly: claimed) else {
                throw FormatError(
                    .limitExceeded, in: reader.subject, at: start, "dimension \(claimed) overflows")
            }
            dimensions.append(dimension)
        }
        return GGUF.turned(dimensions)
    }

    private static func encoding(_ reader: inout ByteReader) throws(FormatError) -> Encoding {
        let start = reader.offset
        let id = try reader.integer(UInt32.self)
        guard let encoding = GGMLType.encoding(of: id) else {
            let detail =
                GGMLType.withdrawn[id].map { "(\($0)) was withdrawn from GGML" } ?? "is not known"
            throw FormatError(
                .unsupportedVersion, in: reader.subject, at: start, "type \(id) \(detail)")
        }
        return encoding
    }
}
