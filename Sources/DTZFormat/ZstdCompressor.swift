import CZstd

/// How hard a frame is worked for.
enum Effort: Sendable, Hashable {
    /// Literals alone, each plane with codes of its own: weights have next to no repetitions, and a search
    /// for them makes most frames larger and all of them slower.
    case literals
    /// zstd's own search at a level of 1 to 22, with or without matches from far away.
    case matches(level: Int, long: Bool)
}

/// A context of libzstd that makes frames, for one thread at a time.
final class ZstdCompressor {
    private let context: OpaquePointer
    private var effort: Effort?

    /// - Throws: `ZstdError` where there is no memory.
    init() throws(ZstdError) {
        guard let context = ZSTD_createCCtx() else { throw ZstdError("cannot make a context") }
        self.context = context
    }

    deinit { ZSTD_freeCCtx(context) }

    /// For what goes into a frame.
    let content = ReusedMemory()
    /// For the difference from a base.
    let delta = ReusedMemory()
    /// For a frame that may not be kept.
    let trial = ReusedMemory()

    /// What a frame of some content may take, at most: more than a bound for a whole frame counts, for
    /// blocks end early with each plane.
    static func capacity(_ byteCount: Int, planeCount: Int) -> Int {
        ZSTD_compressBound(byteCount) + (planeCount + 1) * 512
    }

    /// One frame with the size and the checksum of its content.
    ///
    /// - Parameters:
    ///   - content: what the frame holds.
    ///   - planeEnds: where blocks must end; the last is the content's end.
    ///   - effort: how to go about it.
    ///   - frame: receives the frame; holds `capacity(_:planeCount:)` bytes.
    /// - Returns: how many bytes the frame has.
    /// - Throws: what libzstd has to say.
    func compress(
        _ content: UnsafeRawBufferPointer, planeEnds: [Int], _ effort: Effort,
        into frame: UnsafeMutableRawBufferPointer
    ) throws(ZstdError) -> Int {
        precondition(
            frame.count
                >= ZstdCompressor.capacity(content.count, planeCount: planeEnds.count))
        try prepare(effort)
        if effort == .literals {
            let count = try literals(content, planeEnds, into: frame)
            if count > 0 { return count }
            try prepare(effort)
        }
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
        try check(ZSTD_CCtx_setPledgedSrcSize(context, UInt64(content.count)))
        var output = ZSTD_outBuffer(dst: frame.baseAddress, size: frame.count, pos: 0)
        for end in planeEnds {
            try feed(content, upTo: end, isLast: end == content.count, to: &output)
        }
        if planeEnds.isEmpty { try feed(content, upTo: 0, isLast: true, to: &output) }
        return output.pos
    }

    /// How many bytes a frame of planes has that are coded one by one, or 0 where libzstd found matches
    /// all the same.
    private func literals(
        _ content: UnsafeRawBufferPointer, _ planeEnds: [Int],
        into output: UnsafeMutableRawBufferPointer
    ) throws(ZstdError) -> Int {
        // The frame that is made of the planes' has a checksum, they need none.
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0))
        var builder = FrameBuilder(contentByteCount: content.count, into: output)
        var start = 0
        for end in planeEnds where end > start {
            let plane = UnsafeRawBufferPointer(rebasing: content[start..<end])
            guard try builder.append(plane: plane, context) else { return 0 }
            start = end
        }
        builder.finish(content)
        return builder.byteCount
    }

    private var position = 0

    private func feed(
        _ content: UnsafeRawBufferPointer, upTo end: Int, isLast: Bool,
        to output: inout ZSTD_outBuffer
    ) throws(ZstdError) {
        var input = ZSTD_inBuffer(src: content.baseAddress, size: end, pos: position)
        let directive = isLast ? ZSTD_e_end : ZSTD_e_flush
        while true {
            let left = ZSTD_compressStream2(context, &output, &input, directive)
            try check(left)
            if left == 0, input.pos == end { break }
        }
        position = isLast ? 0 : end
    }

    private func prepare(_ effort: Effort) throws(ZstdError) {
        position = 0
        try check(ZSTD_CCtx_reset(context, ZSTD_reset_session_only))
        guard effort != self.effort else { return }
        try check(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters))
        self.effort = nil
        try set(ZSTD_c_checksumFlag, 1)
        switch effort {
        case .literals:
            // A step longer than any block: no place is ever looked up. Such a step would also leave
            // literals uncoded, unless they are asked for (ZSTD_c_literalCompressionMode).
            try set(ZSTD_c_compressionLevel, 1)
            try set(ZSTD_c_strategy, Int32(ZSTD_fast.rawValue))
            try set(ZSTD_c_targetLength, 1 << 17)
            try set(ZSTD_c_minMatch, 7)
            try set(ZSTD_c_hashLog, 12)
            try set(ZSTD_c_experimentalParam5, 1)
        case .matches(let level, let long):
            try set(ZSTD_c_compressionLevel, Int32(level))
            if long {
                try set(ZSTD_c_enableLongDistanceMatching, 1)
                try set(ZSTD_c_windowLog, 24)
            }
        }
        self.effort = effort
    }

    private func set(_ parameter: ZSTD_cParameter, _ value: Int32) throws(ZstdError) {
        try check(ZSTD_CCtx_setParameter(context, parameter, value))
    }

    private func check(_ code: Int) throws(ZstdError) { try ZstdError.check(code) }
}

/// What libzstd has to say.
struct ZstdError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// - Throws: the error that a result stands for.
    static func check(_ code: Int) throws(ZstdError) {
        guard ZSTD_isError(code) != 0 else { return }
        throw ZstdError(String(cString: ZSTD_getErrorName(code)))
    }
}
