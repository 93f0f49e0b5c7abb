/// TQ2_0: blocks of 256 weights that share one scale, two bits a weight for -1, 0 or 1.
///
///     offset  size  field
///          0    64  codes: two bits each, byte 32 n + i holds weights 128 n + i + {0, 32, 64, 96}
///         64     2  scale: IEEE 754 half, little-endian
///
/// A weight decodes as `scale * (code - 1)`. Specified in Formats/GGUF/Blocks.md, section TQ2_0.
package enum TQ2_0: BlockFormat {
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 66

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 64)
        for run in 0..<8 {
            let (codes, shift) = (run / 4 * 32, UInt8(run % 4 * 2))
            for i in 0..<32 {
                weights[32 * run + i] = scale * Float(Int32(block[codes + i] &>> shift & 3) - 1)
            }
        }
    }
}
