import ByteIO
import GGUFFormat
import Kernels
import ProgressReporting
import TensorIR

/// Writes a DTZ file, one batch of chunks after the other.
///
/// The bytes depend on the model and the options, not on the number of threads. What is held at a time
/// is a batch: some chunks for each thread.
public struct DTZWriter {
    private let checkpoint: Checkpoint
    private let options: DTZOptions
    private let output: OutputFile
    private let compressor: ZstdCompressor
    private var offset = 0
    private var directory: Directory

    /// Writes a model.
    ///
    /// - Parameters:
    ///   - checkpoint: the model. Its metadata, documents and original files are written too.
    ///   - path: where the file appears when it is complete.
    ///   - options: how it is written.
    ///   - progress: told of bytes of tensors.
    /// - Throws: what reading the tensors throws, `SystemError`, `ModelError` for what DTZ cannot hold.
    public static func write(
        _ checkpoint: Checkpoint, to path: String, options: DTZOptions = DTZOptions(),
        progress: some ProgressSink = SilentProgress()
    ) throws {
        var writer = try DTZWriter(checkpoint, to: path, options: options)
        try writer.writeStart()
        let total = checkpoint.tensors.reduce(0) { $0 &+ $1.descriptor.byteCount }
        let phase = Phase("Compressing", unit: "bytes")
        let tensors = try progress.phase(phase, total: total) {
            try writer.writeChunks { progress.advance(phase, by: $0) }
        }
        try writer.writeEnd(tensors)
        try writer.output.commit()
    }

    private init(_ checkpoint: Checkpoint, to path: String, options: DTZOptions) throws {
        precondition((1...22).contains(options.level))
        self.checkpoint = checkpoint
        self.options = options
        compressor = try ZstdCompressor()
        directory = Directory(chunkCapacity: options.chunkCapacity, dialect: checkpoint.dialect)
        directory.tensors = checkpoint.tensors.map(\.descriptor)
        try DTZWriter.check(directory.tensors)
        output = try OutputFile(path: path)
    }

    private static func check(_ tensors: [TensorDescriptor]) throws(ModelError) {
        var names: Set<ExactString> = []
        for tensor in tensors {
            let subject = "tensor '\(tensor.name.escapedForDisplay)'"
            guard names.insert(ExactString(tensor.name)).inserted else {
                throw ModelError("\(subject): the name stands twice")
            }
            guard tensor.shape.count <= 255 else {
                throw ModelError("\(subject): has more than 255 dimensions")
            }
        }
    }

    private mutating func write(_ bytes: [UInt8]) throws {
        try output.write(bytes, at: offset)
        offset += bytes.count
    }

    // MARK: What is known before the tensors

    private mutating func writeStart() throws {
        var frames: [[UInt8]] = []
        func add(_ kind: Directory.Section.Kind, _ name: String, _ bytes: [UInt8]) throws {
            guard bytes.count <= DTZ.maximumSectionByteCount else {
                throw ModelError(
                    "'\(name.escapedForDisplay)' has \(bytes.count) bytes, "
                        + "the limit is \(DTZ.maximumSectionByteCount)")
            }
            let frame = try sectionFrame(bytes)
            directory.sections.append(
                Directory.Section(
                    kind: kind, name: name, byteCount: bytes.count, frameByteCount: frame.count,
                    checksum: XXH64.hash(bytes)))
            frames.append(frame)
        }
        if !checkpoint.metadata.isEmpty {
            try add(.metadata, "", GGUFMetadataBytes.encode(checkpoint.metadata))
        }
        for (name, bytes) in checkpoint.documents { try add(.document, name, bytes) }
        for file in checkpoint.originals { try add(.original, file.name, file.bytes()) }
        if let base = options.base {
            directory.base = Directory.Base(
                name: base.name,
                digest: try base.checkpoint.tensorDigest(
                    Workers(threadCount: options.threadCount)))
        }
        directory.transforms = transforms()
        let bytes = directory.bytes()
        let frame = try sectionFrame(bytes)
        try write(
            Envelope.header(
                FrameClaim(
                    offset: DTZ.headerByteCount, frameByteCount: frame.count,
                    byteCount: bytes.count, checksum: XXH64.hash(bytes))))
        try write(frame)
        for frame in frames { try write(frame) }
    }

    /// All that the encodings at hand may make use of.
    private func transforms() -> [Transform] {
        var transforms: [Transform] = [.none]
        for tensor in directory.tensors {
            for transform in Transform.candidates(for: tensor.encoding)
            where !transforms.contains(transform) {
                transforms.append(transform)
            }
        }
        // More encodings than that in one file would do with bytes as they are.
        transforms = Array(transforms.prefix(128))
        guard options.base != nil else { return transforms }
        return transforms + transforms.map(\.ofDelta)
    }

    private func sectionFrame(_ bytes: [UInt8]) throws -> [UInt8] {
        let capacity = ZstdCompressor.capacity(bytes.count, planeCount: 1)
        return try [UInt8](unsafeUninitializedCapacity: capacity) { frame, count in
            count = try bytes.withUnsafeBytes {
                try compressor.compress(
                    $0, planeEnds: [$0.count], options.sectionEffort,
                    into: UnsafeMutableRawBufferPointer(frame))
            }
        }
    }

    // MARK: Tensors

    /// Writes all chunks, and returns what the index says of them.
    private mutating func writeChunks(_ advance: (Int) -> Void) throws -> [Index.Tensor] {
        var chunks = [[Index.Chunk]](repeating: [], count: directory.tensors.count)
        var batches = ChunkBatches(directory, threadCount: options.threadCount)
        var compressor = BatchCompressor(
            checkpoint, base: options.base?.checkpoint, transforms: directory.transforms,
            options: options)
        // A batch's frames are written while the next one is compressed.
        var frames: [BatchCompressor.Result] = []
        while let batch = batches.next() {
            let (output, start, ready) = (output, offset, frames)
            frames = try compressor.compress(batch) {
                try DTZWriter.write(ready, to: output, at: start)
            }
            offset = ready.reduce(offset) { $0 + $1.frame.count }
            for (chunk, result) in zip(batch, frames) {
                chunks[chunk.tensor].append(
                    Index.Chunk(
                        frameByteCount: result.frame.count, checksum: result.checksum))
                advance(chunk.range.count)
            }
        }
        try DTZWriter.write(frames, to: output, at: offset)
        offset = frames.reduce(offset) { $0 + $1.frame.count }
        return chunks.indices.map {
            Index.Tensor(digest: compressor.digests.digest(of: $0), chunks: chunks[$0])
        }
    }

    private static func write(
        _ frames: [BatchCompressor.Result], to output: OutputFile, at start: Int
    ) throws {
        var place = start
        for result in frames {
            try output.write(result.frame, at: place)
            place += result.frame.count
        }
    }

    // MARK: What is known after them

    private mutating func writeEnd(_ tensors: [Index.Tensor]) throws {
        let digest = ContentDigest.ofTensors(
            zip(directory.tensors, tensors).map { ($0, $1.digest) })
        let bytes = Index(contentDigest: digest, tensors: tensors).bytes()
        guard bytes.count <= DTZ.maximumSectionByteCount else {
            throw ModelError("the model has too many chunks for one DTZ file")
        }
        let frame = try sectionFrame(bytes)
        let claim = FrameClaim(
            offset: offset, frameByteCount: frame.count, byteCount: bytes.count,
            checksum: XXH64.hash(bytes))
        try write(frame)
        try write(Envelope.footer(claim))
    }
}
