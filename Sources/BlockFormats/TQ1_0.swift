/// TQ1_0: blocks of 256 weights that share one scale, five weights of -1, 0 or 1 in a byte.
///
///     offset  size  field
///          0    32  byte i holds weights i + {0, 32, 64, 96, 128}
///         32    16  byte i holds weights 160 + i + {0, 16, 32, 48, 64}
///         48     4  byte i holds weights 240 + i + {0, 4, 8, 12}
///         52     2  scale: IEEE 754 half, little-endian
///
/// A byte is a fraction of 256 in base 3: multiplied by 3^k (modulo 256), its first digit is that
/// of weight k, and a weight decodes as `scale * (digit - 1)`. Specified in Formats/GGUF/Blocks.md,
/// section TQ1_0.
package enum TQ1_0: TernaryFormat {
    package static let bytesPerBlock = 54
    package static let scaleOffset = 52

    package static func storeLevels(
        into block: UnsafeMutableRawBufferPointer, _ level: (_ weight: Int) -> Int8
    ) {
        for run in runs {
            for i in 0..<run.width {
                var number: UInt32 = 0
                // A run of four digits leaves the last place of five empty.
                for digit in 0..<5 {
                    let isStored = digit < run.digits
                    let level = isStored ? level(run.weight + digit * run.width + i) : -1
                    number = number * 3 + UInt32(level + 1)
                }
                // Rounded up, so that the digits come out of the fraction by multiplication.
                block[run.offset + i] = UInt8((number * 256 + 242) / 243)
            }
        }
    }

    package static func forEachLevel(
        of block: UnsafeRawBufferPointer, _ body: (_ weight: Int, _ level: Int32) -> Void
    ) {
        for run in runs {
            var power: UInt8 = 1
            for digit in 0..<run.digits {
                let first = run.weight + digit * run.width
                for i in 0..<run.width {
                    let fraction = UInt32(block[run.offset + i] &* power)
                    body(first + i, Int32((fraction * 3) >> 8) - 1)
                }
                power *= 3
            }
        }
    }

    /// Bytes in a row whose k-th digits belong to weights in a row.
    private static let runs: [(offset: Int, width: Int, digits: Int, weight: Int)] = [
        (0, 32, 5, 0), (32, 16, 5, 160), (48, 4, 4, 240),
    ]
}
