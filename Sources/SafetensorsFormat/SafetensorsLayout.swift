import ByteIO
import OrderedCollections
import TensorIR

/// The header of a file to be written, and where each tensor goes.
///
/// The same bytes as the reference implementation: compact JSON, padded with spaces to a multiple of
/// eight, tensors from the widest type to the narrowest and then by name. The data thus starts at a
/// multiple of eight, and every tensor at a multiple of its elements' size.
struct SafetensorsLayout {
    /// Everything before the data.
    let header: [UInt8]
    /// Where each tensor starts, in bytes from the start of the file, in the order given.
    let offsets: [Int]
    let byteCount: Int

    /// - Throws: `ModelError` when the sizes do not add up to an `Int`, or the header exceeds its limit.
    init(_ descriptors: [TensorDescriptor], metadata: JSON?) throws(ModelError) {
        let order = descriptors.indices.sorted {
            SafetensorsLayout.precedes(descriptors[$0], descriptors[$1])
        }
        var members: JSON.Members = [:]
        members[SafetensorsHeader.metadataKey] = metadata
        var starts = [Int](repeating: 0, count: descriptors.count)
        var cursor = 0
        for index in order {
            let descriptor = descriptors[index]
            starts[index] = cursor
            let (end, overflow) = cursor.addingReportingOverflow(descriptor.byteCount)
            guard !overflow, end < Int.max / 2 else {
                throw ModelError(
                    "tensor '\(descriptor.name.escapedForDisplay)': the file is too large")
            }
            members[descriptor.name] = [
                "dtype": .string(descriptor.encoding.description),
                "shape": .array(descriptor.shape.map { .integer($0) }),
                "data_offsets": [.integer(cursor), .integer(end)],
            ]
            cursor = end
        }
        var text = JSON.object(members).bytes()
        text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        guard text.count <= SafetensorsFile.maximumHeaderByteCount else {
            throw ModelError(
                "safetensors: the header needs \(text.count) bytes, "
                    + "the limit is \(SafetensorsFile.maximumHeaderByteCount)")
        }
        let size = withUnsafeBytes(of: UInt64(text.count).littleEndian) { [UInt8]($0) }
        header = size + text
        let dataOffset = header.count
        offsets = starts.map { dataOffset + $0 }
        byteCount = dataOffset + cursor
    }

    private static func precedes(_ first: TensorDescriptor, _ second: TensorDescriptor) -> Bool {
        let (a, b) = (rank(first.encoding), rank(second.encoding))
        return a == b ? first.name.utf8.lexicographicallyPrecedes(second.name.utf8) : a < b
    }

    /// The reference implementation's order of types, widest first.
    private static let types: [ScalarType] = [
        .u64, .i64, .f64, .f32, .u32, .i32, .bf16, .f16, .u16, .i16, .f8_e4m3, .f8_e5m2, .i8, .u8,
        .bool,
    ]

    private static func rank(_ encoding: Encoding) -> Int {
        guard case .scalar(let type) = encoding else { return types.count }
        return types.firstIndex(of: type) ?? types.count
    }
}
