/// Q4_0: blocks of 32 weights that share one scale, four bits a weight.
///
///     offset  size  field
///          0     2  scale: IEEE 754 half, little-endian
///          2    16  codes: byte i holds weight i (low nibble) and weight i + 16 (high nibble)
///
/// A weight decodes as `scale * (code - 8)`. Specified in Formats/GGUF/Blocks.md, section Q4_0.
package enum Q4_0: EncodableBlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 18

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // Code 0 stands for -8, which has no positive twin. Spending it on the weight of largest
        // magnitude uses the whole range; the scale then carries that weight's sign.
        let scale = weights.extreme / -8
        let inverseScale = inverse(scale)

        block.storeHalf(scale, at: 0)
        block.storeNibbles(at: 2) { code(weights[$0] * inverseScale + 8.5, maximum: 15) }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 0)
        block.forEachNibble(at: 2) { weights[$0] = scale * Float(Int32($1) - 8) }
    }
}
