/// IQ3_XXS: blocks of 256 weights; each 4 are one of 256 vectors, each 8 have an even number of
/// minus signs, and each 32 have a scale of four bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2    64  entries
///         66    32  for each 32 weights, a word with four times seven signs (from bit 0) and the
///                   scale (bits 31-28)
///
/// A weight decodes as `unit * (2 * scale + 1) / 4 * level`. Specified in Formats/GGUF/Blocks.md,
/// section IQ3_XXS.
package enum IQ3_XXS: CodebookFormat {
    package static let bytesPerBlock = 98

    static let grid = CodebookGrid(
        .iq3_xxs, IQ3_XXS.self, .iq3_xxs, signs: .even, weightsPerScale: 32, step: 0.25)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        block.unit = bytes.half(at: 0)
        for i in 0..<64 { block.entries[i] = UInt16(bytes[2 + i]) }
        for scale in 0..<8 { block.setSignsAndScale(scale, from: bytes.word(at: 66 + 4 * scale)) }
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeHalf(block.unit, at: 0)
        for i in 0..<64 { bytes[2 + i] = UInt8(truncatingIfNeeded: block.entries[i]) }
        for scale in 0..<8 { bytes.storeWord(block.signsAndScale(scale), at: 66 + 4 * scale) }
    }
}
