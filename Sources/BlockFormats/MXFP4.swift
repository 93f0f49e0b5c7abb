/// MXFP4: blocks of 32 floats of four bits that share a power of two (OCP Microscaling Formats,
/// 1.0).
///
///     offset  size  field
///          0     1  exponent: the scale is 2^(exponent - 127)
///          1    16  codes: byte i holds weight i (low nibble) and weight i + 16 (high nibble)
///
/// A code is a sign, two bits of exponent and one of mantissa. A weight decodes as
/// `2^(exponent - 128) * doubled[code]`. Specified in Formats/GGUF/Blocks.md, section MXFP4.
package enum MXFP4: BlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 17

    /// Twice the value of each code, so that all are integers. As in ggml, there is no negative
    /// zero.
    private static let doubled: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // Half the scale, as the codes are doubled; the two smallest are subnormal floats.
        let exponent = UInt32(block[0])
        let scale = Float(bitPattern: exponent < 2 ? 0x0020_0000 << exponent : (exponent - 1) << 23)
        block.forEachNibble(at: 1) { weight, code in weights[weight] = scale * doubled[Int(code)] }
    }
}
