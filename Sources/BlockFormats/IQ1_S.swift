/// IQ1_S: blocks of 256 weights; each 8 are one of 2048 vectors of -1, 0 and 1, and each 32 have a
/// scale of three bits and a shift of an eighth up or down.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2    32  low eight bits of the entries
///         34    16  half-word i, of weights 32 i on: high three bits of entry 4 i + j from bit 3 j,
///                   scale (bits 14-12), shift (bit 15: down)
///
/// A weight decodes as `unit * (2 * scale + 1) * (level ± 1/8)`. Specified in
/// Formats/GGUF/Blocks.md, section IQ1_S.
package enum IQ1_S: CodebookFormat {
    package static let bytesPerBlock = 50

    static let grid = CodebookGrid(
        .iq1_s, IQ1_S.self, .iq1, signs: .none, weightsPerScale: 32, scaleCodeCount: 8, step: 1,
        sharesShift: true)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        block.unit = bytes.half(at: 0)
        for scale in 0..<8 {
            let high = UInt16(bytes[34 + 2 * scale]) | UInt16(bytes[35 + 2 * scale]) << 8
            for i in 4 * scale..<4 * scale + 4 {
                let bits = high >> UInt16(i % 4 * 3) & 7
                block.entries[i] = UInt16(bytes[2 + i]) | bits << 8 | (high >> 15) << 11
            }
            block.scaleCodes[scale] = UInt8(truncatingIfNeeded: high >> 12 & 7)
        }
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeHalf(block.unit, at: 0)
        for scale in 0..<8 {
            var high = UInt16(block.scaleCodes[scale] & 7) << 12
            high |= (block.entries[4 * scale] >> 11) << 15
            for i in 4 * scale..<4 * scale + 4 {
                bytes[2 + i] = UInt8(truncatingIfNeeded: block.entries[i])
                high |= (block.entries[i] >> 8 & 7) << UInt16(i % 4 * 3)
            }
            bytes[34 + 2 * scale] = UInt8(truncatingIfNeeded: high)
            bytes[35 + 2 * scale] = UInt8(truncatingIfNeeded: high >> 8)
        }
    }
}
