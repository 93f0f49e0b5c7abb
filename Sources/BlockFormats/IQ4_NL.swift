/// IQ4_NL: blocks of 32 weights that share one scale; a code of four bits chooses one of 16 levels that
/// lie closer together near zero.
///
///     offset  size  field
///          0     2  scale: IEEE 754 half, little-endian
///          2    16  codes: byte i holds weight i (low nibble) and weight i + 16 (high nibble)
///
/// A weight decodes as `scale * levels[code]`. Specified in Formats/GGUF/Blocks.md, section IQ4_NL.
package enum IQ4_NL: EncodableBlockFormat {
    package static let weightsPerBlock = 32
    package static let bytesPerBlock = 18

    /// The constants of the format, as ggml publishes them.
    package static let levels: [Int8] = [
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
    ]
    static let weightOfCode: [Float] = levels.map(Float.init)
    /// Where one level stops being the nearest and the next begins.
    private static let boundaries: [Float] = zip(weightOfCode, weightOfCode.dropFirst()).map {
        ($0 + $1) / 2
    }

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // The level of largest magnitude goes to the weight of largest magnitude, with its sign. The
        // codes are chosen on that scale; the scale that is stored is then fitted to the codes.
        let extreme = weights.extreme
        let inverseScale = extreme.magnitude < 1e-15 ? 0 : 1 / (extreme / weightOfCode[0])
        var productSum: Float = 0
        var squareSum: Float = 0
        for i in 0..<16 {
            let low = nearestCode(weights[i] * inverseScale)
            let high = nearestCode(weights[i + 16] * inverseScale)
            block[2 + i] = low | high << 4
        }
        // Each weight counts by its square: losing a tenth of a large one hurts more.
        for i in 0..<32 {
            let code = i < 16 ? block[2 + i] & 0x0F : block[i - 14] >> 4
            let level = weightOfCode[Int(code)]
            let importance = weights[i] * weights[i]
            productSum += importance * level * weights[i]
            squareSum += importance * level * level
        }
        block.storeHalf(squareSum > 0 ? productSum / squareSum : 0, at: 0)
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 0)
        weightOfCode.withUnsafeBufferPointer { weightOfCode in
            for i in 0..<16 {
                weights[i] = scale * weightOfCode[Int(block[2 + i] & 0x0F)]
                weights[i + 16] = scale * weightOfCode[Int(block[2 + i] >> 4)]
            }
        }
    }

    /// The code of the level nearest to `value`, the higher of two equally near.
    private static func nearestCode(_ value: Float) -> UInt8 {
        var code: UInt8 = 0
        for boundary in boundaries where value >= boundary { code += 1 }
        return code
    }
}
