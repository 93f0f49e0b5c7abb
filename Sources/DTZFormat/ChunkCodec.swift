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
    private static let sampleByteCount = 1 << 15
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
        let block = descriptor.encoding.bytesPerBlock
        let count = min(descriptor.byteCount, max(1, Self.sampleByteCount / block) * block)
        let start = (descriptor.byteCount - count) / 2 / block * block
        var transforms = Transform.candidates(for: descriptor.encoding)
        if base != nil {
            transforms += transforms.map {
                Transform(fields: $0.fields, turnsSign: $0.turnsSign, isDelta: true)
            }
        }
        let sample = try source.withBytes(start..<start + count) { [UInt8]($0) }
        let baseSample = try base?.withBytes(start..<start + count) { [UInt8]($0) }
        func size(_ transform: Transform, _ effort: Effort) throws -> Int {
            try sample.withUnsafeBytes { sample in
                try (baseSample ?? []).withUnsafeBytes { base in
                    let choice = Choice(transform: transform, effort: effort)
                    return try frame(sample, base: base, choice, id: 0).count
                }
            }
        }
        var best: (transform: Transform, size: Int)?
        for transform in transforms {
            let size = try size(transform, .literals)
            if size < best?.size ?? .max { best = (transform, size) }
        }
        guard let best else { return [] }
        let literals = Choice(transform: best.transform, effort: .literals)
        let searched = Set([best.transform, best.transform.isDelta ? .noneOfDelta : .none])
            .sorted { $0.fields.count > $1.fields.count }
            .map { Choice(transform: $0, effort: searching) }
        guard options.level <= 1 else { return [literals] + searched }
        var choice = literals
        var least = Double(best.size) * (1 - Self.leastGain)
        for candidate in searched {
            let size = Double(try size(candidate.transform, candidate.effort))
            if size < least { (choice, least) = (candidate, size) }
        }
        return [choice]
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
        let content = Buffer(byteCount: chunk.count + 1)
        let planes = UnsafeMutableRawBufferPointer(rebasing: content.bytes[..<chunk.count])
        if choice.transform.isDelta, let base {
            let delta = Buffer(byteCount: chunk.count)
            delta.bytes.copyMemory(from: chunk)
            Transform.combine(delta.bytes, with: base)
            choice.transform.split(UnsafeRawBufferPointer(delta.bytes), into: planes)
        } else {
            choice.transform.split(chunk, into: planes)
        }
        content.bytes[chunk.count] = id
        var ends = choice.transform.planeEnds(of: chunk.count)
        // Matches may reach from one plane into another, and blocks of a few bytes would only cost.
        if choice.effort != .literals { ends = [] }
        if ends.last == chunk.count { ends.removeLast() }
        return try compressors.with {
            try $0.frame(
                UnsafeRawBufferPointer(content.bytes), planeEnds: ends + [chunk.count + 1],
                choice.effort)
        }
    }
}

extension Transform {
    fileprivate static let noneOfDelta = Transform(fields: [1], isDelta: true)
}
