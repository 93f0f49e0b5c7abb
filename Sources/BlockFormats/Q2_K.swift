import TensorIR

/// Q2_K: blocks of 256 weights, two bits a weight; each 16 weights have a scale and a minimum of
/// four bits.
///
///     offset  size  field
///          0    16  scales: byte i holds scale (low nibble) and minimum of sub-block i
///         16    64  codes: two bits each, byte 32 n + i holds weights 128 n + i + {0, 32, 64, 96}
///         80     2  unit of the scales: IEEE 754 half, little-endian
///         82     2  unit of the minimums: IEEE 754 half, little-endian
///
/// A weight decodes as `(unit * scale) * code - minimumUnit * minimum`. Specified in
/// Formats/GGUF/Blocks.md, section Q2_K.
package enum Q2_K: SuperBlockFormat {
    static let type = BlockEncoding.q2_K
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 84

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        for i in 0..<16 {
            let scale = UInt8(bitPattern: source.scaleCodes[i])
            block[i] = scale & 0x0F | UInt8(bitPattern: source.minimumCodes[i]) << 4
        }
        block.storeTwoBits(at: 16) { UInt8(bitPattern: source.levels[$0]) }
        block.storeHalf(source.unit, at: 80)
        block.storeHalf(source.minimumUnit, at: 82)
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let (unit, minimumUnit) = (block.half(at: 80), block.half(at: 82))
        for subBlock in 0..<16 {
            let scale = unit * Float(block[subBlock] & 0x0F)
            let minimum = minimumUnit * Float(block[subBlock] >> 4)
            // Eight sub-blocks share 32 bytes: two next to each other, four on top of each other.
            let codes = 16 + subBlock / 8 * 32 + subBlock % 2 * 16
            let shift = UInt8(subBlock % 8 / 2 * 2)
            for i in 0..<16 {
                let code = block[codes + i] &>> shift & 3
                weights[16 * subBlock + i] = scale * Float(code) - minimum
            }
        }
    }
}
