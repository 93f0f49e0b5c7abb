/// IQ4_NL: blocks of 32 weights that share one scale; a code of four bits chooses one of 16 levels
/// that lie closer together near zero.
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
    /// Where one level stops being the nearest and the next begins; at the boundary the higher one
    /// wins.
    private static let boundaries: [Float] = zip(weightOfCode, weightOfCode.dropFirst()).map {
        ($0 + $1) / 2
    }

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        // The level of largest magnitude goes to the weight of largest magnitude, with its sign.
        // The codes are chosen on that scale; the scale that is stored is then fitted to the codes.
        let extreme = weights.extreme
        let inverseScale = extreme.magnitude < 1e-15 ? 0 : 1 / (extreme / weightOfCode[0])
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: weightsPerBlock) { codes in
            codes.initialize(repeating: 0)
            for boundary in boundaries {
                for i in 0..<32 { codes[i] &+= weights[i] * inverseScale >= boundary ? 1 : 0 }
            }
            block.storeHalf(fittedScale(weights, codes: UnsafeBufferPointer(codes)), at: 0)
            block.storeNibbles(at: 2) { codes[$0] }
        }
    }

    /// The scale with the least error for these codes, where each weight counts by its square: a
    /// tenth off a large one hurts more.
    private static func fittedScale(
        _ weights: UnsafeBufferPointer<Float>, codes: UnsafeBufferPointer<UInt8>
    ) -> Float {
        var productSum: Float = 0
        var squareSum: Float = 0
        for i in 0..<32 {
            let level = weightOfCode[Int(codes[i])]
            let importance = weights[i] * weights[i]
            productSum += importance * level * weights[i]
            squareSum += importance * level * level
        }
        return squareSum > 0 ? productSum / squareSum : 0
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: 0)
        weightOfCode.withUnsafeBufferPointer { weightOfCode in
            block.forEachNibble(at: 2) { weights[$0] = scale * weightOfCode[Int($1)] }
        }
    }
}
