/// NVFP4: blocks of 64 floats of four bits, each 16 of which share a scale of eight bits.
///
///     offset  size  field
///          0     4  scales: byte s is that of weights 16 s to 16 s + 15
///          4    32  codes: byte 8 s + i holds weight 16 s + i (low nibble) and 16 s + i + 8
///
/// A scale is a float without a sign, four bits of exponent and three of mantissa; a code is as in
/// MXFP4. A weight decodes as `scale / 2 * doubled[code]`. Specified in Formats/GGUF/Blocks.md,
/// section NVFP4.
package enum NVFP4: EncodableBlockFormat {
    package static let weightsPerBlock = 64
    package static let bytesPerBlock = 36
    static let weightsPerScale = 16

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        for part in 0..<4 {
            let weights = UnsafeBufferPointer(rebasing: weights[16 * part..<16 * part + 16])
            let scaleCode = referenceCode(ofScale: weights.extreme.magnitude / 6)
            let scale = scale(ofCode: scaleCode)
            block[part] = scaleCode
            for i in 0..<8 {
                block[4 + 8 * part + i] =
                    E2M1.code(nearestTo: weights[i], scale: scale)
                    | E2M1.code(nearestTo: weights[i + 8], scale: scale) << 4
            }
        }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        E2M1.doubled.withUnsafeBufferPointer { doubled in
            for part in 0..<4 {
                let scale = scale(ofCode: block[part])
                for i in 0..<8 {
                    let byte = block[4 + 8 * part + i]
                    weights[16 * part + i] = scale * doubled[Int(byte & 0x0F)]
                    weights[16 * part + i + 8] = scale * doubled[Int(byte >> 4)]
                }
            }
        }
    }

    /// Half of what a code stands for: what the doubled codes are multiplied by. As in ggml, the
    /// code of NaN is 0, and the sign's bit is not looked at.
    static func scale(ofCode code: UInt8) -> Float {
        code & 0x7F == 0x7F ? 0 : Float8<E4M3>.value(code & 0x7F) / 2
    }

    /// The code whose scale is nearest to one that multiplies doubled codes.
    static func code(nearestTo scale: Float) -> UInt8 {
        scale > 0 ? Float8<E4M3>.code(scale * 2) : 0
    }

    /// ggml's rounding of `value` to a scale: to nearest, ties up, and from 248 on to the largest.
    private static func referenceCode(ofScale value: Float) -> UInt8 {
        guard value > 0 else { return 0 }
        let bits = min(value, 448).bitPattern
        guard bits >= 121 << 23 else { return UInt8(min(value * 512 + 0.5, 7)) }
        let code = ((bits &+ 0x8_0000) >> 20) &- (120 << 3)
        return code >= 15 << 3 ? 0x7E : UInt8(code)
    }
}
