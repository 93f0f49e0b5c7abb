import ByteIO
import TensorIR

/// The keys by which the parts of a split model know each other, as llama.cpp's `gguf-split` writes
/// them.
enum GGUFSplit {
    /// UInt16: this part, counted from 0.
    static let numberKey = "split.no"
    /// UInt16: how many parts there are; 0 or 1 in a file that stands alone.
    static let countKey = "split.count"
    /// Int32: tensors in all parts together.
    static let tensorCountKey = "split.tensors.count"

    static let keys = [numberKey, countKey, tensorCountKey]

    /// The metadata of one part: the first has all of them, the others have only what joins them.
    ///
    /// A file that stands alone keeps what it is given, unless that speaks of parts it has lost.
    static func metadata(
        _ metadata: Metadata, part number: Int, of count: Int, tensorCount: Int
    ) throws(ModelError) -> Metadata {
        guard count > 1 else {
            return (metadata[countKey]?.integer ?? 0) > 1 ? withoutKeys(metadata) : metadata
        }
        guard let count = UInt16(exactly: count), let tensorCount = Int32(exactly: tensorCount)
        else {
            throw ModelError("GGUF cannot be split into \(count) files")
        }
        var result: Metadata = number == 0 ? withoutKeys(metadata) : [:]
        // Each part is read alone, so each needs to know what its data are aligned to.
        result[GGUF.alignmentKey] = metadata[GGUF.alignmentKey]
        result[numberKey] = .uint16(UInt16(number))
        result[countKey] = .uint16(count)
        result[tensorCountKey] = .int32(tensorCount)
        return result
    }

    static func withoutKeys(_ metadata: Metadata) -> Metadata {
        metadata.filter { !keys.contains($0.key.string) }
    }
}
