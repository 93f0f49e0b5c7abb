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
    private static let sampleByteCount = 1 << 16
    /// Of these, bytes in which matches are looked for.
    private static let searchedByteCount = 1 << 14
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
            guard isWorthTrying(transform, on: large, of: descriptor.encoding) else { continue }
            // Planes that are worth it are never behind bytes as they are, nor pairs behind single bytes.
            if let best, best.size < large.bytes.count * 9 / 10,
                transform.fields == [1]
                    || best.transform.pairsExponents && !transform.isPacked
            {
                continue
            }
            let choice = Choice(transform: transform, effort: .literals)
            let size = try size(of: large, choice)
            if size < best?.size ?? .max { best = (transform, size) }
        }
        guard let transform = best?.transform else { return [] }
        let literals = Choice(transform: transform, effort: .literals)
        // Matches are between bytes: planes of pairs and palettes have next to none.
        let planes = transforms.first { !$0.isPacked && $0.isDelta == transform.isDelta } ?? .none
        let none = transform.isDelta ? Transform.none.ofDelta : .none
        let searched = Choice(transform: planes, effort: searching)
        guard options.level <= 1 else {
            let plain = Choice(transform: none, effort: searching)
            return [literals, searched] + (planes == none ? [] : [plain])
        }
        // Of a small sample, the many planes of palettes would have more headers than codes.
        let small =
            transform.paletteWidth != nil
            ? large : try Sample(of: source, base: base, byteCount: Self.searchedByteCount)
        let least = Double(try size(of: small, literals)) * (1 - Self.leastGain)
        return Double(try size(of: small, searched)) < least ? [searched] : [literals]
    }

    /// Palettes are tried where a sample has them. At the first level BF16 does without: palettes would
    /// save another fourth of it, and take twice as long to read as planes.
    private func isWorthTrying(
        _ transform: Transform, on sample: Sample, of encoding: Encoding
    ) -> Bool {
        guard transform.paletteWidth != nil else { return true }
        guard options.level > 1 || encoding != .scalar(.bf16) else { return false }
        return sample.bytes.withUnsafeBytes { transform.isLikely(for: $0) }
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
                try compressors.with { compressor in
                    let capacity = ChunkCodec.frameCapacity(of: bytes.count, [choice.transform])
                    return try compress(
                        bytes, base: base, choice, id: 0, compressor,
                        into: compressor.trial(byteCount: capacity))
                }
            }
        }
    }

    /// What the frame of a chunk of so many bytes may take, at most, with any of some transforms.
    static func frameCapacity(of byteCount: Int, _ transforms: [Transform]) -> Int {
        ZstdCompressor.capacity(
            Transform.capacity(of: byteCount) + 1,
            planeCount: (transforms.map(\.planeLimit).max() ?? 0) + 1)
    }

    /// The smallest frame of a chunk that the choices make.
    ///
    /// - Parameters:
    ///   - chunk: bytes of the tensor.
    ///   - base: the same bytes of the base, where there is one.
    ///   - choices: each with its transform's number in the directory.
    ///   - frame: receives the frame; holds `frameCapacity(of:_:)` bytes.
    /// - Returns: how many bytes the frame has.
    /// - Throws: what libzstd has to say.
    func compress(
        _ chunk: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer?,
        _ choices: [(choice: Choice, id: UInt8)], into frame: UnsafeMutableRawBufferPointer
    ) throws -> Int {
        try compressors.with { compressor in
            var smallest: Int?
            for (choice, id) in choices {
                guard let least = smallest else {
                    smallest = try compress(
                        chunk, base: base, choice, id: id, compressor, into: frame)
                    continue
                }
                let trial = compressor.trial(byteCount: frame.count)
                let count = try compress(
                    chunk, base: base, choice, id: id, compressor, into: trial)
                guard count < least else { continue }
                frame.copyMemory(from: UnsafeRawBufferPointer(rebasing: trial[..<count]))
                smallest = count
            }
            return smallest ?? 0
        }
    }

    private func compress(
        _ chunk: UnsafeRawBufferPointer, base: UnsafeRawBufferPointer?, _ choice: Choice, id: UInt8,
        _ compressor: ZstdCompressor, into frame: UnsafeMutableRawBufferPointer
    ) throws -> Int {
        let transform = choice.transform
        let content = compressor.content(byteCount: transform.capacity(of: chunk.count) + 1)
        var source = chunk
        if transform.isDelta, let base {
            let delta = compressor.delta(byteCount: chunk.count)
            delta.copyMemory(from: chunk)
            Transform.combine(delta, with: base)
            source = UnsafeRawBufferPointer(delta)
        }
        let count = transform.split(source, into: content)
        content[count] = id
        // Matches may reach from one plane into another, and blocks of a few bytes would only cost.
        let planes = UnsafeRawBufferPointer(rebasing: content[..<count])
        let ends =
            choice.effort == .literals
            ? transform.planeEnds(in: planes, of: chunk.count) : []
        return try compressor.compress(
            UnsafeRawBufferPointer(rebasing: content[...count]),
            planeEnds: ends.filter { $0 < count } + [count + 1], choice.effort, into: frame)
    }
}
