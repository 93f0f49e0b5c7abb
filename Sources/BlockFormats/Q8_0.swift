/// Q8_0: blocks of 32 weights that share one scale, eight bits a weight.
///
///     offset  size  field
///          0     2  scale: IEEE 754 half, little-endian
///          2    32  codes: two's complement, byte i belongs to weight i
///
/// A weight decodes as `scale * code`. Specified in Formats/GGUF/Blocks.md, section Q8_0.
package enum Q8_0: EncodableBlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 34

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // The codes are symmetric: -128 is never written, so that a code and its negation both
        // exist.
        let scale = weights.extreme.magnitude / 127
        let inverseScale = inverse(scale)

        block.storeHalf(scale, at: 0)
        for i in 0..<32 {
            block[2 + i] = UInt8(truncatingIfNeeded: roundedAway(weights[i] * inverseScale))
        }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 0)
        for i in 0..<32 { weights[i] = scale * Float(Int8(bitPattern: block[2 + i])) }
    }
}
