/// XXH64 with seed 0, the checksum of zstd's frames (RFC 8878, 3.1.1, takes its low 32 bits).
///
/// Four sums over stripes of 32 bytes, mixed at the end with what is left over. Specified in
/// Formats/DTZ/SPECIFICATION.md, "Checksums"; libzstd keeps its own to itself.
package enum XXH64 {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9,
        0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5
    )

    /// The checksum of some bytes.
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let (p1, p2, p3, p4, p5) = primes
        var offset = 0
        var hash: UInt64
        if bytes.count >= 32 {
            var (a, b, c, d) = (p1 &+ p2, p2, UInt64(0), 0 &- p1)
            // A pointer, for the buffer would check every word.
            guard var place = bytes.baseAddress else { return 0 }
            for _ in 0..<bytes.count / 32 {
                a = round(a, word(place))
                b = round(b, word(place + 8))
                c = round(c, word(place + 16))
                d = round(d, word(place + 24))
                place += 32
            }
            offset = bytes.count / 32 * 32
            hash = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
            for sum in [a, b, c, d] { hash = (hash ^ round(0, sum)) &* p1 &+ p4 }
        } else {
            hash = p5
        }
        hash &+= UInt64(bytes.count)
        while bytes.count - offset >= 8 {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            hash = rotate(hash ^ round(0, word), 27) &* p1 &+ p4
            offset += 8
        }
        if bytes.count - offset >= 4 {
            let half = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            hash = rotate(hash ^ UInt64(half) &* p1, 23) &* p2 &+ p3
            offset += 4
        }
        for byte in bytes[offset...] { hash = rotate(hash ^ UInt64(byte) &* p5, 11) &* p1 }
        hash = (hash ^ hash >> 33) &* p2
        hash = (hash ^ hash >> 29) &* p3
        return hash ^ hash >> 32
    }

    /// The checksum of some bytes.
    package static func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { hash($0) } }

    @inline(__always)
    private static func word(_ place: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
    }

    @inline(__always)
    private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
        rotate(sum &+ word &* primes.1, 31) &* primes.0
    }

    @inline(__always)
    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 {
        word &<< bits | word &>> (64 &- bits)
    }
}
