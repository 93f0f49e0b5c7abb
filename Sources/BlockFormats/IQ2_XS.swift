/// IQ2_XS: blocks of 256 weights; each 8 are one of 512 vectors with an even number of minus signs,
/// and each 16 have a scale of four bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2    64  half-word i, of weights 8 i on: entry (bits 8-0) and seven signs (bits 15-9)
///         66     8  scales: byte i holds scales 2 i (low nibble) and 2 i + 1
///
/// A weight decodes as `unit * (2 * scale + 1) / 8 * level`. Specified in Formats/GGUF/Blocks.md,
/// section IQ2_XS.
package enum IQ2_XS: CodebookFormat {
    package static let bytesPerBlock = 74

    static let grid = CodebookGrid(
        .iq2_xs, IQ2_XS.self, .iq2_xs, signs: .even, weightsPerScale: 16, step: 0.125)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        block.unit = bytes.half(at: 0)
        for i in 0..<32 {
            let (low, high) = (bytes[2 + 2 * i], bytes[3 + 2 * i])
            block.entries[i] = UInt16(low) | UInt16(high & 1) << 8
            block.signs[i] = evenSigns(high >> 1)
        }
        block.setScales(from: bytes, at: 66)
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeHalf(block.unit, at: 0)
        for i in 0..<32 {
            bytes[2 + 2 * i] = UInt8(truncatingIfNeeded: block.entries[i])
            bytes[3 + 2 * i] =
                UInt8(truncatingIfNeeded: block.entries[i] >> 8 & 1) | block.signs[i] << 1
        }
        block.storeScales(into: bytes, at: 66)
    }
}

extension CodebookBlock {
    /// Reads the codes of all scales from bytes of two, low nibble first.
    mutating func setScales(from bytes: UnsafeRawBufferPointer, at offset: Int) {
        for i in 0..<scaleCodes.count / 2 {
            scaleCodes[2 * i] = bytes[offset + i] & 0x0F
            scaleCodes[2 * i + 1] = bytes[offset + i] >> 4
        }
    }

    func storeScales(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        for i in 0..<scaleCodes.count / 2 {
            bytes[offset + i] = scaleCodes[2 * i] & 0x0F | scaleCodes[2 * i + 1] << 4
        }
    }
}
