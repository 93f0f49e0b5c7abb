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
        block.storeFiveBits(at: 2) { code(weights[$0] * inverseScale + 16.5, maximum: 31) }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 0)
        block.forEachFiveBits(at: 2) { weights[$0] = scale * Float(Int32($1) - 16) }
    }
}
