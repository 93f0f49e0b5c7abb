import TensorIR

/// IQ4_XS: blocks of 256 weights with the levels of IQ4_NL; each 32 weights have a scale of six
/// bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2     2  high two bits of the scales, little-endian: scale i from bit 2 i
///          4     4  low four bits of the scales: byte i holds scales 2 i (low nibble) and 2 i + 1
///          8   128  codes: byte 16 n + i holds weights 32 n + i (low nibble) and 32 n + 16 + i
///
/// A weight decodes as `(unit * (scale - 32)) * levels[code]`. Specified in Formats/GGUF/Blocks.md,
/// section IQ4_XS.
package enum IQ4_XS: SuperBlockFormat {
    static let type = BlockEncoding.iq4_xs
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 136

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        block.storeHalf(source.unit, at: 0)
        var highBits: UInt16 = 0
        for i in 0..<8 {
            let scale = UInt8(bitPattern: source.scaleCodes[i] &+ 32)
            highBits |= UInt16(scale >> 4 & 3) << UInt16(2 * i)
            let low = (scale & 0x0F) << UInt8(i % 2 * 4)
            block[4 + i / 2] = i % 2 == 0 ? low : block[4 + i / 2] | low
        }
        block.storeBytes(of: highBits.littleEndian, toByteOffset: 2, as: UInt16.self)
        block.storeNibbles(at: 8, distance: 16) { UInt8(bitPattern: source.levels[$0]) }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let unit = block.half(at: 0)
        let highBits = UInt16(littleEndian: block.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        for subBlock in 0..<8 {
            let low = block[4 + subBlock / 2] >> UInt8(subBlock % 2 * 4) & 0x0F
            let high = UInt8(truncatingIfNeeded: highBits >> UInt16(2 * subBlock) & 3)
            let scale = unit * Float(Int32(low | high << 4) - 32)
            block.forEachNibble(at: 8 + 16 * subBlock) { weight, code in
                weights[32 * subBlock + weight] = scale * IQ4_NL.weightOfCode[Int(code)]
            }
        }
    }
}
