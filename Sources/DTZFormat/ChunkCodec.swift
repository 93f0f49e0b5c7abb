import TensorIR

/// Makes the frames of one tensor's chunks.
struct ChunkCodec: Sendable {
    /// What is done to the tensor's chunks.
    struct Choice: Sendable, Hashable {
        let transform: Transform
        let effort: Effort
    }

    let options: DTZOptions
    let compressors: Pool<ZstdCompressor>

    /// Bytes of a tensor that are tried out before a way is chosen for all of it.
    private static let sampleByteCount = 1 << 17
    /// Of these, bytes in which matches are looked for.
    private static let searchedByteCount = 1 << 15
    /// A search for matches must save this part of a sample: frames with matches take longer to read.
    private static let leastGain = 0.02

    private var searching: Effort {
        .matches(level: max(3, options.level), long: options.isLong)
    }

    /// The ways that a chunk of a tensor is compressed in, of which the smallest frame is kept: all from
    /// the second level on, else the one that does best on a sample from the tensor's middle.
    func choices(
        for source: any TensorSource, base: (any TensorSource)?
    ) throws -> [Choice] {
        let descriptor = source.descriptor
        guard descriptor.byteCount > 0 else { return [] }
        var transforms = Transform.candidates(for: descriptor.encoding)
        if base != nil { transforms += transforms.map(\.ofDelta) }
        let large = try Sample(of: source, base: base, byteCount: Self.sampleByteCount)
        var best: (transform: Transform, size: Int)?
        for transform in transforms {
            let choice = Choice(transform: transform, effort: .literals)
            let size = try size(of: large, choice)
            if size < best?.size ?? .max { best = (transform, size) }
        }
        guard let transform = best?.transform else { return [] }
        let literals = Choice(transform: transform, effort: .literals)
        // Matches are between bytes: a plane of pairs has next to none.
        let planes = Transform(
            fields: transform.fields, turnsSign: transform.turnsSign, isDelta: transform.isDelta)
        let none = transform.isDelta ? Transform.none.ofDelta : .none
        let searched = (planes == none ? [none] : [planes, none])
            .map { Choice(transform: $0, effort: searching) }
        guard options.level <= 1 else { return [literals] + searched }
        let small = try Sample(of: source, base: base, byteCount: Self.searchedByteCount)
        var choice = literals
        var least = Double(try size(of: small, literals)) * (1 - Self.leastGain)
        for candidate in searched {
            let size = Double(try size(of: small, candidate))
            if size < least { (choice, least) = (candidate, size) }
        }
        return [choice]
    }

    /// Bytes from the middle of a tensor, whole blocks.
    private struct Sample {
        let bytes: [UInt8]
        let base: [UInt8]?

        init(of source: any TensorSource, base: (any TensorSource)?, byteCount: Int) throws {
            let descriptor = source.descriptor
            let block = descriptor.encoding.bytesPerBlock
            let count = min(descriptor.byteCount, max(1, byteCount / block) * block)
            let start = (descriptor.byteCount - count) / 2 / block * block
            bytes = try source.withBytes(start..<start + count) { [UInt8]($0) }
            self.base = try base?.withBytes(start..<start + count) { [UInt8]($0) }
        }
    }

    private func size(of sample: Sample, _ choice: Choice) throws -> Int {
        try sample.bytes.withUnsafeBytes { bytes in
            try (sample.base ?? []).withUnsafeBytes { base in
                try frame(bytes, base: base, choice, id: 0).count
            }
        }
    }

    /// The smallest frame of a chunk that the choices make.
    ///
    /// - Parameters:
    ///   - chunk: bytes of the tensor.
    ///   - base: the same bytes of the base, where there is one.
    ///   - choices: at least one, each with its transform's number in the directory.
    /// - Returns: the frame's bytes.
    /// - Throws: what libzstd has to say.
    func smallestFrame(
        _ chunk: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer?,
        _ choices: [(choice: Choice, id: UInt8)]
    ) throws -> [UInt8] {
        var smallest: [UInt8]?
        for (choice, id) in choices {
            let frame = try frame(chunk, base: base, choice, id: id)
            if frame.count < smallest?.count ?? .max { smallest = frame }
        }
        return smallest ?? []
    }

    private func frame(
        _ chunk: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer?, _ choice: Choice, id: UInt8
    ) throws -> [UInt8] {
        let transform = choice.transform
        let content = Buffer(byteCount: transform.capacity(of: chunk.count) + 1)
        let count: Int
        if transform.isDelta, let base {
            let delta = Buffer(byteCount: chunk.count)
            delta.bytes.copyMemory(from: chunk)
            Transform.combine(delta.bytes, with: base)
            count = transform.split(UnsafeRawBufferPointer(delta.bytes), into: content.bytes)
        } else {
            count = transform.split(chunk, into: content.bytes)
        }
        content.bytes[count] = id
        // Matches may reach from one plane into another, and blocks of a few bytes would only cost.
        let ends = choice.effort == .literals ? transform.planeEnds(of: chunk.count) : []
        return try compressors.with {
            try $0.frame(
                UnsafeRawBufferPointer(rebasing: content.bytes[...count]),
                planeEnds: ends.filter { $0 < count } + [count + 1], choice.effort)
        }
    }
}
