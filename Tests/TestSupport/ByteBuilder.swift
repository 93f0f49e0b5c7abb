/// Puts bytes together in the order in which a file has them, right or deliberately wrong.
public struct ByteBuilder {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func raw(_ bytes: some Sequence<UInt8>) { self.bytes += bytes }

    public mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    /// A GGUF string: its length as UInt64, then its bytes.
    public mutating func string(_ text: String) {
        integer(UInt64(text.utf8.count))
        raw(text.utf8)
    }

    /// Zeros up to a multiple of `alignment`.
    public mutating func pad(to alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }

    /// A safetensors file: the header's size, the header, the data.
    public static func safetensors(_ header: String, dataByteCount: Int = 0) -> [UInt8] {
        var builder = ByteBuilder()
        builder.string(header)
        builder.raw((0..<dataByteCount).map { UInt8(truncatingIfNeeded: $0) })
        return builder.bytes
    }
}
