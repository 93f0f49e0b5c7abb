/// The constants of DTZ and its limits.
///
/// Specified in Formats/DTZ/SPECIFICATION.md.
public enum DTZ {
    /// What stands at the start of the header's content and at the end of the footer's, the version last.
    static let signature: [UInt8] = Array("DTZ".utf8) + [version]
    /// The version that is read and written.
    static let version: UInt8 = 1
    /// The magic number of a zstd frame that decoders skip.
    static let skippableMagic: UInt32 = 0x184D_2A50
    /// The whole skippable frame at the start of a file.
    static let headerByteCount = 8 + 32
    /// The whole skippable frame at its end.
    static let footerByteCount = 8 + 40
    /// The most bytes of a tensor that a chunk may hold, unless a single block is larger.
    static let maximumChunkCapacity = 1 << 26
    /// The most bytes that the directory, the index, or a section may decode to.
    static let maximumSectionByteCount = 1 << 28
    /// The most bytes that all sections together may decode to.
    static let maximumSectionsByteCount = 1 << 30
    /// What a writer cuts tensors into.
    public static let chunkCapacity = 1 << 20
    /// What it cuts them into where matches are looked for far away.
    public static let longChunkCapacity = 1 << 24

    /// Bytes of a tensor in each of its chunks but the last: whole blocks.
    static func chunkByteCount(capacity: Int, bytesPerBlock: Int) -> Int {
        max(1, capacity / bytesPerBlock) * bytesPerBlock
    }
}
