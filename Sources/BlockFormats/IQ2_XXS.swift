/// IQ2_XXS: blocks of 256 weights; each 8 are one of 256 vectors with an even number of minus
/// signs, and each 32 have a scale of four bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2    64  for each 32 weights: four bytes of entries, then a word with four times seven
///                   signs (from bit 0) and the scale (bits 31-28)
///
/// A weight decodes as `unit * (2 * scale + 1) / 8 * level`. Specified in Formats/GGUF/Blocks.md,
/// section IQ2_XXS.
package enum IQ2_XXS: CodebookFormat {
    package static let bytesPerBlock = 66

    static let grid = CodebookGrid(
        .iq2_xxs, IQ2_XXS.self, .iq2_xxs, signs: .even, weightsPerScale: 32, step: 0.125)

    static func unpack(_ bytes: UnsafeRawBufferPointer, into block: inout CodebookBlock) {
        block.unit = bytes.half(at: 0)
        for scale in 0..<8 {
            let offset = 2 + 8 * scale
            for i in 0..<4 { block.entries[4 * scale + i] = UInt16(bytes[offset + i]) }
            block.setSignsAndScale(scale, from: bytes.word(at: offset + 4))
        }
    }

    static func pack(_ block: CodebookBlock, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeHalf(block.unit, at: 0)
        for scale in 0..<8 {
            let offset = 2 + 8 * scale
            for i in 0..<4 {
                bytes[offset + i] = UInt8(truncatingIfNeeded: block.entries[4 * scale + i])
            }
            bytes.storeWord(block.signsAndScale(scale), at: offset + 4)
        }
    }
}

/// Eight signs of which the last makes the number of minus signs even.
@inline(__always)
func evenSigns(_ sevenBits: UInt8) -> UInt8 {
    let seven = sevenBits & 0x7F
    return seven | UInt8(truncatingIfNeeded: seven.nonzeroBitCount & 1) << 7
}

extension CodebookBlock {
    /// What a word holds of 32 weights: seven of each eight signs, and the scale's code.
    func signsAndScale(_ scale: Int) -> UInt32 {
        var word = UInt32(scaleCodes[scale]) << 28
        for i in 0..<4 { word |= UInt32(signs[4 * scale + i] & 0x7F) << UInt32(7 * i) }
        return word
    }

    mutating func setSignsAndScale(_ scale: Int, from word: UInt32) {
        scaleCodes[scale] = UInt8(word >> 28)
        for i in 0..<4 {
            signs[4 * scale + i] = evenSigns(UInt8(truncatingIfNeeded: word >> UInt32(7 * i)))
        }
    }
}
