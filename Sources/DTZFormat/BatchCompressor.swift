import ByteIO
import Kernels
import TensorIR

/// A run of a tensor's bytes that has a frame of its own.
struct Chunk: Sendable {
    let tensor: Int
    let range: Range<Int>
}

/// The chunks of all tensors in their order, some megabytes at a time.
struct ChunkBatches {
    private let directory: Directory
    private var tensor = 0
    private var start = 0

    /// What is read and compressed between two writes: some chunks for each thread, so few that they are
    /// still in the processor's cache when they are looked at for the second time.
    private let room: Int
    private static let count = 1024

    init(_ directory: Directory, threadCount: Int) {
        self.directory = directory
        room = max(min(4 * threadCount, 16) << 20, 2 * directory.chunkCapacity)
    }

    mutating func next() -> [Chunk]? {
        var batch: [Chunk] = []
        var byteCount = 0
        while tensor < directory.tensors.count, batch.count < Self.count,
            byteCount < room
        {
            let descriptor = directory.tensors[tensor]
            guard start < descriptor.byteCount else {
                (tensor, start) = (tensor + 1, 0)
                continue
            }
            let size = directory.chunkByteCount(of: descriptor)
            let end = start + min(size, descriptor.byteCount - start)
            batch.append(Chunk(tensor: tensor, range: start..<end))
            byteCount += end - start
            start = end
        }
        return batch.isEmpty ? nil : batch
    }
}

/// Compresses batches of chunks on several threads, and takes the tensors' digests on the way.
struct BatchCompressor {
    /// A frame, which lies in memory of the compressor's, and XXH64 of what it decodes to.
    struct Result: @unchecked Sendable {
        // Unchecked: the frame is written by one thread before others see it.
        let frame: UnsafeRawBufferPointer
        let checksum: UInt64
    }
    private typealias Choices = [(choice: ChunkCodec.Choice, id: UInt8)]

    private let tensors: [any TensorSource]
    private let bases: [(any TensorSource)?]
    private let transforms: [Transform]
    private let workers: Workers
    private let codec: ChunkCodec
    /// How the tensors of the last batch are compressed.
    private var choices: [Int: Choices] = [:]
    var digests = RunningDigests()
    /// For the frames of this batch, and those of the one before.
    private var frames = ReusedMemory()
    private var earlierFrames = ReusedMemory()

    init(
        _ checkpoint: Checkpoint, base: Checkpoint?, transforms: [Transform], options: DTZOptions
    ) {
        tensors = checkpoint.tensors
        let byName = Dictionary(
            (base?.tensors ?? []).map { (ExactString($0.descriptor.name), $0) },
            uniquingKeysWith: { first, _ in first })
        bases = checkpoint.tensors.map { tensor in
            let descriptor = tensor.descriptor
            let base = byName[ExactString(descriptor.name)]
            guard base?.descriptor.encoding == descriptor.encoding,
                base?.descriptor.shape == descriptor.shape
            else { return nil }
            return base
        }
        self.transforms = transforms
        workers = Workers(threadCount: options.threadCount)
        codec = ChunkCodec(options: options, compressors: Pool { try ZstdCompressor() })
    }

    /// Compresses some chunks.
    ///
    /// - Parameters:
    ///   - batch: the chunks.
    ///   - meanwhile: other work, which one of the threads does.
    /// - Returns: a result for each chunk, the same for any number of threads. Frames stay where they are
    ///   until the next batch but one.
    /// - Throws: what reading the tensors throws.
    mutating func compress(
        _ batch: [Chunk], meanwhile: @Sendable () throws -> Void
    ) throws -> [Result] {
        try choose(for: Set(batch.map(\.tensor)).sorted())
        let results = Slots<Result>(count: batch.count)
        let (room, places) = reserve(for: batch)
        nonisolated(unsafe) let frames = room
        let digests = Slots<RunningDigests>(count: 1)
        digests[0] = self.digests
        let (tensors, bases, codec, choices) = (tensors, bases, codec, choices)
        // Digests cannot be cut: they are one item of work, and the longest.
        try workers.forEach(batch.count + 2) { item in
            guard item != 1 else { return try meanwhile() }
            guard item > 0 else {
                var running = digests[0]
                for chunk in batch {
                    try tensors[chunk.tensor].withBytes(chunk.range) {
                        running?.update($0, of: chunk.tensor)
                    }
                }
                digests[0] = running
                return
            }
            let chunk = batch[item - 2]
            let choices = choices[chunk.tensor] ?? []
            try tensors[chunk.tensor].withBytes(chunk.range) { bytes in
                let usesBase = choices.contains { $0.choice.transform.isDelta }
                let room = UnsafeMutableRawBufferPointer(
                    rebasing: frames[places[item - 2]..<places[item - 1]])
                let count =
                    if usesBase, let base = bases[chunk.tensor] {
                        try base.withBytes(chunk.range) {
                            try codec.compress(bytes, base: $0, choices, into: room)
                        }
                    } else {
                        try codec.compress(bytes, base: nil, choices, into: room)
                    }
                results[item - 2] = Result(
                    frame: UnsafeRawBufferPointer(rebasing: room[..<count]),
                    checksum: XXH64.hash(bytes))
            }
        }
        self.digests = digests[0] ?? self.digests
        for chunk in batch {
            for source in [tensors[chunk.tensor], bases[chunk.tensor]] {
                (source as? MappedTensor)?.release(chunk.range)
            }
        }
        return batch.indices.compactMap { results[$0] }
    }

    /// Makes room for the frames of a batch, and says where in it each goes; the last place is the end.
    private mutating func reserve(
        for batch: [Chunk]
    ) -> (UnsafeMutableRawBufferPointer, places: [Int]) {
        var places = [0]
        for chunk in batch {
            places.append(
                (places.last ?? 0) + ChunkCodec.frameCapacity(of: chunk.range.count, transforms))
        }
        swap(&frames, &earlierFrames)
        return (frames(byteCount: places.last ?? 0), places)
    }

    private mutating func choose(for batch: [Int]) throws {
        choices = choices.filter { batch.contains($0.key) }
        let new = batch.filter { choices[$0] == nil }
        let chosen = Slots<[ChunkCodec.Choice]>(count: new.count)
        let (tensors, bases, codec) = (tensors, bases, codec)
        try workers.forEach(new.count) { index in
            chosen[index] = try codec.choices(for: tensors[new[index]], base: bases[new[index]])
        }
        for (index, tensor) in new.enumerated() {
            choices[tensor] = (chosen[index] ?? []).map { choice in
                guard let id = transforms.firstIndex(of: choice.transform) else {
                    return (ChunkCodec.Choice(transform: .none, effort: choice.effort), 0)
                }
                return (choice, UInt8(id))
            }
        }
    }
}
