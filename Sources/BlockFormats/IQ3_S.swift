/// IQ3_S: blocks of 256 weights; each 4 are one of 512 vectors with any signs, and each 32 have a
/// scale of four bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2    64  low eight bits of the entries
///         66     8  ninth bits of the entries: bit j of byte i belongs to entry 8 i + j
///         74    32  signs: bit j of byte i belongs to weight 8 i + j
///        106     4  scales: byte i holds scales 2 i (low nibble) and 2 i + 1
///
/// A weight decodes as `unit * (2 * scale + 1) * level`. Specified in Formats/GGUF/Blocks.md,
/// section IQ3_S.
package enum IQ3_S: CodebookFormat {
    package static let bytesPerBlock = 110

    static let grid = CodebookGrid(
        .iq3_s, IQ3_S.self, .iq3_s, signs: .free, weightsPerScale: 32, step: 1)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        block.unit = bytes.half(at: 0)
        for i in 0..<64 {
            let ninth = bytes[66 + i / 8] >> UInt8(i % 8) & 1
            block.entries[i] = UInt16(bytes[2 + i]) | UInt16(ninth) << 8
        }
        for i in 0..<32 { block.signs[i] = bytes[74 + i] }
        block.setScales(from: bytes, at: 106)
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeHalf(block.unit, at: 0)
        for i in 0..<8 { bytes[66 + i] = 0 }
        for i in 0..<64 {
            bytes[2 + i] = UInt8(truncatingIfNeeded: block.entries[i])
            let ninth = UInt8(truncatingIfNeeded: block.entries[i] >> 8 & 1)
            bytes[66 + i / 8] |= ninth << UInt8(i % 8)
        }
        for i in 0..<32 { bytes[74 + i] = block.signs[i] }
        block.storeScales(into: bytes, at: 106)
    }
}
