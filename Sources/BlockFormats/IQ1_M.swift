/// IQ1_M: blocks of 256 weights; each 8 are one of 2048 vectors of -1, 0 and 1, with a shift of an
/// eighth up or down, and each 16 have a scale of three bits.
///
///     offset  size  field
///          0    32  low eight bits of the entries
///         32    16  nibble j of byte i, of entry 2 i + j: its high three bits, and its shift (bit 3:
///                   down)
///         48     8  half-word i: scale 4 i + j from bit 3 j, and bits 4 i + 3 to 4 i of the unit of
///                   the scales, an IEEE 754 half (bits 15-12)
///
/// A weight decodes as `unit * (2 * scale + 1) * (level ± 1/8)`. Specified in
/// Formats/GGUF/Blocks.md, section IQ1_M.
package enum IQ1_M: CodebookFormat {
    package static let bytesPerBlock = 56

    static let grid = CodebookGrid(
        .iq1_m, IQ1_M.self, .iq1, signs: .none, weightsPerScale: 16, scaleCodeCount: 8, step: 1)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        for i in 0..<32 {
            let high = bytes[32 + i / 2] >> UInt8(i % 2 * 4) & 0x0F
            block.entries[i] = UInt16(bytes[i]) | UInt16(high) << 8
        }
        var unit: UInt16 = 0
        for i in 0..<4 {
            let word = UInt16(bytes[48 + 2 * i]) | UInt16(bytes[49 + 2 * i]) << 8
            for j in 0..<4 {
                block.scaleCodes[4 * i + j] = UInt8(truncatingIfNeeded: word >> UInt16(3 * j) & 7)
            }
            unit |= (word >> 12) << UInt16(4 * i)
        }
        block.unit = Float(Float16(bitPattern: unit))
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        for i in 0..<16 { bytes[32 + i] = 0 }
        for i in 0..<32 {
            bytes[i] = UInt8(truncatingIfNeeded: block.entries[i])
            let high = UInt8(truncatingIfNeeded: block.entries[i] >> 8 & 0x0F)
            bytes[32 + i / 2] |= high << UInt8(i % 2 * 4)
        }
        let unit = Float16(block.unit).bitPattern
        for i in 0..<4 {
            var word = (unit >> UInt16(4 * i)) << 12
            for j in 0..<4 { word |= UInt16(block.scaleCodes[4 * i + j] & 7) << UInt16(3 * j) }
            bytes[48 + 2 * i] = UInt8(truncatingIfNeeded: word)
            bytes[49 + 2 * i] = UInt8(truncatingIfNeeded: word >> 8)
        }
    }
}
