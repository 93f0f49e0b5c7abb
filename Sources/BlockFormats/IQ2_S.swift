/// IQ2_S: blocks of 256 weights; each 8 are one of 1024 vectors with any signs, and each 16 have a
/// scale of four bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2    32  low eight bits of the entries
///         34    32  signs: bit j of byte i belongs to weight 8 i + j
///         66     8  high two bits of the entries: byte i holds those of 4 i (bits 1-0) to 4 i + 3
///         74     8  scales: byte i holds scales 2 i (low nibble) and 2 i + 1
///
/// A weight decodes as `unit * (2 * scale + 1) / 8 * level`. Specified in Formats/GGUF/Blocks.md,
/// section IQ2_S.
package enum IQ2_S: CodebookFormat {
    package static let bytesPerBlock = 82

    static let grid = CodebookGrid(
        .iq2_s, IQ2_S.self, .iq2_s, signs: .free, weightsPerScale: 16, step: 0.125)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        block.unit = bytes.half(at: 0)
        for i in 0..<32 {
            let high = bytes[66 + i / 4] >> UInt8(i % 4 * 2) & 3
            block.entries[i] = UInt16(bytes[2 + i]) | UInt16(high) << 8
            block.signs[i] = bytes[34 + i]
        }
        block.setScales(from: bytes, at: 74)
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeHalf(block.unit, at: 0)
        for i in 0..<8 { bytes[66 + i] = 0 }
        for i in 0..<32 {
            bytes[2 + i] = UInt8(truncatingIfNeeded: block.entries[i])
            bytes[34 + i] = block.signs[i]
            let high = UInt8(truncatingIfNeeded: block.entries[i] >> 8 & 3)
            bytes[66 + i / 4] |= high << UInt8(i % 4 * 2)
        }
        block.storeScales(into: bytes, at: 74)
    }
}
