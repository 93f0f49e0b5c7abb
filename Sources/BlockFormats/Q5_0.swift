/// Q5_0: blocks of 32 weights that share one scale, five bits a weight.
///
///     offset  size  field
///          0     2  scale: IEEE 754 half, little-endian
///          2     4  fifth bits of the codes, little-endian word: bit i belongs to weight i
///          6    16  codes: byte i holds weight i (low nibble) and weight i + 16 (high nibble)
///
/// A weight decodes as `scale * (code - 16)`. Specified in Formats/GGUF/Blocks.md, section Q5_0.
package enum Q5_0: EncodableBlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 22

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // As in Q4_0: the code without a positive twin goes to the weight of largest magnitude.
        let scale = weights.extreme / -16
        let inverseScale = inverse(scale)

        block.storeHalf(scale, at: 0)
        var fifthBits: UInt32 = 0
        for i in 0..<16 {
            let low = code(weights[i] * inverseScale + 16.5, maximum: 31)
            let high = code(weights[i + 16] * inverseScale + 16.5, maximum: 31)
            block[6 + i] = low & 0x0F | high << 4
            fifthBits |= UInt32(low >> 4) << UInt32(i) | UInt32(high >> 4) << UInt32(i + 16)
        }
        block.storeWord(fifthBits, at: 2)
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 0)
        let fifthBits = block.word(at: 2)
        for i in 0..<16 {
            let low = UInt32(block[6 + i] & 0x0F) | (fifthBits >> UInt32(i) & 1) << 4
            let high = UInt32(block[6 + i] >> 4) | (fifthBits >> UInt32(i + 16) & 1) << 4
            weights[i] = scale * Float(Int32(low) - 16)
            weights[i + 16] = scale * Float(Int32(high) - 16)
        }
    }
}
