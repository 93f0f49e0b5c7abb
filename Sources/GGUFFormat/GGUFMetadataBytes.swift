import ByteIO
import TensorIR

/// Metadata as a GGUF file has them, alone: a count (UInt64), then the pairs.
package enum GGUFMetadataBytes {
    /// The bytes of metadata.
    package static func encode(_ metadata: Metadata) -> [UInt8] {
        GGUFSerializer.pairs(metadata)
    }

    /// Reads metadata back.
    /// - Throws: `FormatError` for anything but the whole of what `encode` makes.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(FormatError) -> Metadata {
        var reader = ByteReader(bytes, reading: "key-value count")
        let count = try reader.count(ofElementsAtLeast: GGUFMetadataReader.minimumPairByteCount)
        var metadataReader = GGUFMetadataReader(reader: reader)
        let metadata = try metadataReader.pairs(count)
        let rest = metadataReader.reader.remaining
        guard rest == 0 else {
            throw metadataReader.reader.failure(.inconsistent, "\(rest) bytes follow the last pair")
        }
        return metadata
    }
}
