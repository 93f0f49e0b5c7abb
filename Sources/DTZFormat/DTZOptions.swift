import TensorIR

/// How a DTZ file is written. Nothing here decides whether it can be read.
public struct DTZOptions: Sendable {
    /// 1: planes of bits are coded by their frequencies alone, and matches are looked for only where a
    /// sample says so. 2 to 22: they are looked for everywhere too, as zstd does at that level (3 at
    /// least), and the smaller result is kept.
    public var level = 1
    /// Whether chunks are sixteen times as large and matches are looked for all over them.
    public var isLong = false
    /// The result does not depend on it.
    public var threadCount = 2
    /// The model from which differences are stored where they are smaller.
    public var base: Base?

    /// A base model.
    public struct Base: Sendable {
        /// What readers look for: a path, from the folder of the DTZ file on.
        public var name: String
        public var checkpoint: Checkpoint

        public init(name: String, checkpoint: Checkpoint) {
            (self.name, self.checkpoint) = (name, checkpoint)
        }
    }

    public init() {}

    var chunkCapacity: Int { isLong ? DTZ.longChunkCapacity : DTZ.chunkCapacity }
    /// What sections, directory and index are worked for.
    var sectionEffort: Effort { .matches(level: level > 1 ? 19 : 9, long: false) }
}
