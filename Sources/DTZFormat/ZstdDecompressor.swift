import CZstd

/// A context of libzstd that reads frames, for one thread at a time.
final class ZstdDecompressor {
    private let context: OpaquePointer

    /// - Throws: `ZstdError` where there is no memory.
    init() throws(ZstdError) {
        guard let context = ZSTD_createDCtx() else { throw ZstdError("cannot make a context") }
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    /// For what a frame holds.
    let content = ReusedMemory()
    /// For a plane.
    let scratch = ReusedMemory()

    /// Decodes a frame that must fill `content` exactly.
    ///
    /// - Parameters:
    ///   - frame: one frame, whole.
    ///   - content: receives what it holds; nothing is written beyond.
    ///   - checksFrame: whether the frame's own checksum is computed too. Whoever has another of what
    ///     becomes of the content can do without.
    /// - Throws: what is wrong with the frame.
    func decode(
        _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer,
        checksFrame: Bool
    ) throws(ZstdError) {
        // libzstd would take several frames for one, and skip what is no frame at all.
        let size = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
        try ZstdError.check(size)
        guard size == frame.count, !ZstdFrame.isSkippable(frame) else {
            throw ZstdError("is not one zstd frame of \(frame.count) bytes")
        }
        // ZSTD_d_forceIgnoreChecksum
        try ZstdError.check(
            ZSTD_DCtx_setParameter(context, ZSTD_d_experimentalParam3, checksFrame ? 0 : 1))
        let count = ZSTD_decompressDCtx(
            context, content.baseAddress, content.count, frame.baseAddress, frame.count)
        try ZstdError.check(count)
        guard count == content.count else {
            throw ZstdError("holds \(count) bytes, expected \(content.count)")
        }
    }
}

/// What can be told of a frame without decoding it.
enum ZstdFrame {
    static func isSkippable(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 4 else { return false }
        let magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        return magic & 0xFFFF_FFF0 == DTZ.skippableMagic
    }

    /// The size of what a frame holds, or nil where the frame does not say it.
    static func contentByteCount(_ frame: UnsafeRawBufferPointer) -> Int? {
        Int(exactly: ZSTD_getFrameContentSize(frame.baseAddress, frame.count))
    }

    /// The size of the frame that `bytes` start with, or nil where none does that is whole.
    static func byteCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let size = ZSTD_findFrameCompressedSize(bytes.baseAddress, bytes.count)
        return ZSTD_isError(size) != 0 ? nil : size
    }
}
