import TensorIR

/// Q3_K: blocks of 256 weights, three bits a weight; each 16 weights have a scale of six bits.
///
///     offset  size  field
///          0    32  third bits: bit j of byte i belongs to weight 32 j + i
///         32    64  codes: two bits each, byte 32 n + i holds weights 128 n + i + {0, 32, 64, 96}
///         96    12  scales: low four bits of scale i in byte i % 8, nibble i / 8;
///                   high two bits in byte 8 + i % 4, from bit i / 4 * 2
///        108     2  unit of the scales: IEEE 754 half, little-endian
///
/// A weight decodes as `(unit * (scale - 32)) * (code - 4)`, the third bit being the code's
/// highest. Specified in Formats/GGUF/Blocks.md, section Q3_K.
package enum Q3_K: SuperBlockFormat {
    static let type = BlockEncoding.q3_K
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 110

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        block.storeBits(at: 0) { UInt8(bitPattern: source.levels[$0] &+ 4) >> 2 }
        block.storeTwoBits(at: 32) { UInt8(bitPattern: source.levels[$0] &+ 4) }
        for i in 96..<108 { block[i] = 0 }
        for i in 0..<16 {
            let scale = UInt8(bitPattern: source.scaleCodes[i] &+ 32)
            block[96 + i % 8] |= (scale & 0x0F) << UInt8(i / 8 * 4)
            block[104 + i % 4] |= (scale >> 4 & 3) << UInt8(i / 4 * 2)
        }
        block.storeHalf(source.unit, at: 108)
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let unit = block.half(at: 108)
        for subBlock in 0..<16 {
            let low = block[96 + subBlock % 8] >> UInt8(subBlock / 8 * 4) & 0x0F
            let high = block[104 + subBlock % 4] >> UInt8(subBlock / 4 * 2) & 3
            let scale = unit * Float(Int32(low | high << 4) - 32)
            let column = subBlock % 2 * 16
            let codes = 32 + subBlock / 8 * 32 + column
            let shift = UInt8(subBlock % 8 / 2 * 2)
            let thirdBit = UInt8(subBlock / 2)
            for i in 0..<16 {
                let code =
                    block[codes + i] &>> shift & 3 | (block[column + i] &>> thirdBit & 1) &<< 2
                weights[16 * subBlock + i] = scale * Float(Int32(code) - 4)
            }
        }
    }
}
