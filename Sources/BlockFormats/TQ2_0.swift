/// TQ2_0: blocks of 256 weights that share one scale, two bits a weight for -1, 0 or 1.
///
///     offset  size  field
///          0    64  codes: two bits each, byte 32 n + i holds weights 128 n + i + {0, 32, 64, 96}
///         64     2  scale: IEEE 754 half, little-endian
///
/// A weight decodes as `scale * (code - 1)`. Specified in Formats/GGUF/Blocks.md, section TQ2_0.
package enum TQ2_0: TernaryFormat {
    package static let bytesPerBlock = 66
    package static let scaleOffset = 64

    package static func storeLevels(
        into block: UnsafeMutableRawBufferPointer, _ level: (_ weight: Int) -> Int8
    ) {
        for i in 0..<64 {
            let first = i / 32 * 128 + i % 32
            block[i] = (0..<4).reduce(0) { byte, place in
                byte | UInt8(truncatingIfNeeded: level(first + 32 * place) + 1) << UInt8(2 * place)
            }
        }
    }

    package static func forEachLevel(
        of block: UnsafeRawBufferPointer, _ body: (_ weight: Int, _ level: Int32) -> Void
    ) {
        for run in 0..<8 {
            let (codes, shift) = (run / 4 * 32, UInt8(run % 4 * 2))
            for i in 0..<32 {
                body(32 * run + i, Int32(block[codes + i] &>> shift & 3) - 1)
            }
        }
    }
}
