import CZstd

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Puts a zstd frame together from planes that are coded each by itself, without matches.
///
/// libzstd codes the planes that are worth it, as frames of their own, whose blocks are taken over; the
/// others become raw blocks without having been looked at by it, which is half of all bytes of BF16 and
/// most of what it would spend time on. Blocks without sequences refer to nothing before them, so they
/// mean the same in any frame (RFC 8878, 3.1.1.3).
struct FrameBuilder {
    private let output: UnsafeMutableRawBufferPointer
    private(set) var byteCount = 0
    /// Where the last block's header is, in bytes from the start of the frame.
    private var lastBlock = 0

    /// The most bytes of a block, by the format.
    private static let blockByteCount = 1 << 17
    /// Bytes of a plane that tell whether it is worth coding, and the bits for each from which it is not:
    /// a code must save a sixty-fourth, and so few bytes seem to have 0.05 bits less than they do.
    private static let sampleByteCount = 1 << 12
    private static let randomEntropy = 7.855

    /// Begins a frame: magic number, one segment with checksum, size in four bytes.
    init(contentByteCount: Int, into output: UnsafeMutableRawBufferPointer) {
        self.output = output
        append(UInt32(0xFD2F_B528), 4)
        append(UInt32(0b1010_0100), 1)
        append(UInt32(contentByteCount), 4)
    }

    /// Appends a plane, coded by `context` where that pays.
    /// - Returns: false where a block has matches and cannot be taken over.
    mutating func append(
        plane: UnsafeRawBufferPointer, _ context: OpaquePointer
    ) throws(ZstdError) -> Bool {
        guard plane.count > 64, !FrameBuilder.looksRandom(plane) else {
            appendRaw(plane)
            return true
        }
        let room = UnsafeMutableRawBufferPointer(rebasing: output[byteCount...])
        let size = ZSTD_compress2(
            context, room.baseAddress, room.count, plane.baseAddress, plane.count)
        try ZstdError.check(size)
        return takeOver(UnsafeRawBufferPointer(rebasing: room[..<size]))
    }

    /// Ends the frame with the checksum of all of its content.
    mutating func finish(_ content: UnsafeRawBufferPointer) {
        output[lastBlock] |= 1
        append(UInt32(truncatingIfNeeded: XXH64.hash(content)), 4)
    }

    private mutating func append(_ value: UInt32, _ size: Int) {
        for byte in 0..<size {
            output[byteCount + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))
        }
        byteCount += size
    }

    private mutating func appendRaw(_ plane: UnsafeRawBufferPointer) {
        var start = 0
        while start < plane.count {
            let count = min(FrameBuilder.blockByteCount, plane.count - start)
            lastBlock = byteCount
            append(UInt32(count) << 3, 3)
            UnsafeMutableRawBufferPointer(rebasing: output[byteCount..<byteCount + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: plane[start..<start + count]))
            byteCount += count
            start += count
        }
    }

    /// Moves the blocks of a frame, which lies where this one's end is, over its header.
    private mutating func takeOver(_ frame: UnsafeRawBufferPointer) -> Bool {
        let descriptor = frame[4]
        let isSingle = descriptor & 0x20 != 0
        let sizeFlag = Int(descriptor >> 6)
        let sizeField = sizeFlag == 0 ? (isSingle ? 1 : 0) : 1 << sizeFlag
        var start = 5 + (isSingle ? 0 : 1) + sizeField
        let header = start
        var last = 0
        while true {
            guard frame.count - start >= 3 else { return false }
            let word =
                UInt32(frame[start]) | UInt32(frame[start + 1]) << 8
                | UInt32(frame[start + 2]) << 16
            let (kind, size) = (word >> 1 & 3, Int(word >> 3))
            let stored = kind == 1 ? 1 : size
            guard kind < 3, stored <= frame.count - start - 3 else { return false }
            let block = UnsafeRawBufferPointer(rebasing: frame[start + 3..<start + 3 + stored])
            guard kind < 2 || FrameBuilder.hasNoSequences(block) else { return false }
            last = start
            start += 3 + stored
            if word & 1 == 1 { break }
        }
        guard start == frame.count, let base = output.baseAddress else { return false }
        let place = base + byteCount
        lastBlock = byteCount + last - header
        memmove(place, place + header, frame.count - header)
        output[lastBlock] &= 0xFE
        byteCount += frame.count - header
        return true
    }

    /// Whether a compressed block is literals and nothing else: behind them stands a count of 0.
    private static func hasNoSequences(_ block: UnsafeRawBufferPointer) -> Bool {
        guard block.count >= 6 else { return false }
        var word: UInt64 = 0
        for byte in 0..<5 { word |= UInt64(block[byte]) << UInt64(8 * byte) }
        let format = word >> 2 & 3
        let end: Int
        if word & 2 == 0 {
            // Raw or of one byte: the size has 5, 12 or 20 bits.
            let header = format == 3 ? 3 : format == 1 ? 2 : 1
            let mask: UInt64 = [0x1F, 0xFFF, 0xF_FFFF][header - 1]
            let size = Int(word >> (header == 1 ? 3 : 4) & mask)
            end = header + (word & 1 == 1 ? 1 : size)
        } else {
            // Both sizes have 10, 14 or 18 bits.
            let header = format < 2 ? 3 : Int(format) + 2
            let bits = UInt64([10, 14, 18][header - 3])
            end = header + Int(word >> (4 + bits) & ((1 << bits) - 1))
        }
        return end == block.count - 1 && block[end] == 0
    }

    /// Whether the bytes of a plane are about equally frequent, as far as some of them tell.
    static func looksRandom(_ plane: UnsafeRawBufferPointer) -> Bool {
        guard plane.count >= sampleByteCount else { return false }
        var counts = [Int32](repeating: 0, count: 256)
        let step = plane.count / sampleByteCount
        for index in 0..<sampleByteCount { counts[Int(plane[index * step])] += 1 }
        var bits = 0.0
        for count in counts where count > 0 {
            let frequency = Double(count) / Double(sampleByteCount)
            bits -= frequency * log2(frequency)
        }
        return bits > randomEntropy
    }
}
