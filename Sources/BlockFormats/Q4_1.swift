/// Q4_1: blocks of 32 weights that share a scale and a minimum, four bits a weight.
///
///     offset  size  field
///          0     2  scale: IEEE 754 half, little-endian
///          2     2  minimum: IEEE 754 half, little-endian
///          4    16  codes: byte i holds weight i (low nibble) and weight i + 16 (high nibble)
///
/// A weight decodes as `scale * code + minimum`. Specified in Formats/GGUF/Blocks.md, section Q4_1.
package enum Q4_1: EncodableBlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 20

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let (minimum, maximum) = weights.bounds
        let scale = (maximum - minimum) / 15
        let inverseScale = inverse(scale)

        block.storeHalf(scale, at: 0)
        block.storeHalf(minimum, at: 2)
        block.storeNibbles(at: 4) {
            code((weights[$0] - minimum) * inverseScale + 0.5, maximum: 15)
        }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let (scale, minimum) = (block.half(at: 0), block.half(at: 2))
        block.forEachNibble(at: 4) { weights[$0] = scale * Float($1) + minimum }
    }
}
