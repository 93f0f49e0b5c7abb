/// MXFP4: blocks of 32 floats of four bits that share a power of two (OCP Microscaling Formats,
/// 1.0).
///
///     offset  size  field
///          0     1  exponent: the scale is 2^(exponent - 127)
///          1    16  codes: byte i holds weight i (low nibble) and weight i + 16 (high nibble)
///
/// A code is a sign, two bits of exponent and one of mantissa. A weight decodes as
/// `2^(exponent - 128) * doubled[code]`. Specified in Formats/GGUF/Blocks.md, section MXFP4.
package enum MXFP4: EncodableBlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 17

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // The largest code is 6 = 1.5 * 2^2; the largest weight gets its exponent.
        let extreme = weights.extreme.magnitude
        let exponent = extreme > 0 && extreme.isFinite ? Int(extreme.exponent) - 2 + 127 : 0
        block[0] = UInt8(max(0, exponent))
        let scale = scale(ofExponent: block[0])
        block.storeNibbles(at: 1) { E2M1.code(nearestTo: weights[$0], scale: scale) }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = scale(ofExponent: block[0])
        E2M1.doubled.withUnsafeBufferPointer { doubled in
            block.forEachNibble(at: 1) { weight, code in
                weights[weight] = scale * doubled[Int(code)]
            }
        }
    }

    /// What the doubled codes are multiplied by; the two smallest are subnormal floats.
    static func scale(ofExponent exponent: UInt8) -> Float {
        let exponent = UInt32(exponent)
        return Float(bitPattern: exponent < 2 ? 0x0020_0000 << exponent : (exponent - 1) << 23)
    }

    /// The exponent whose scale is nearest to one that multiplies doubled codes. The largest that
    /// it gives leaves the largest code finite; what is not positive gets the smallest.
    static func exponent(nearestTo scale: Float) -> UInt8 {
        guard scale >= .leastNormalMagnitude else { return scale > 0x1.8p-128 ? 1 : 0 }
        let rounded = scale.significand > 1.5 ? 1 : 0
        return UInt8(min(scale.isFinite ? Int(scale.exponent) + rounded + 128 : 255, 252))
    }

    /// Stores places in `E2M1.levels`, and a scale that `exponent(nearestTo:)` has an exponent for.
    static func store(
        levels: UnsafePointer<Int8>, scale: Float, into block: UnsafeMutableRawBufferPointer
    ) {
        block[0] = exponent(nearestTo: scale)
        block.storeNibbles(at: 1) { E2M1.code(ofLevelAt: levels[$0]) }
    }

    /// The scale of a block; its levels go to `levels`.
    static func load(
        _ block: UnsafeRawBufferPointer, levels: UnsafeMutablePointer<Int8>
    ) -> Float {
        block.forEachNibble(at: 1) { levels[$0] = E2M1.levelPlace(of: $1) }
        return scale(ofExponent: block[0])
    }
}
