/// Blocks of 256 weights of -1, 0 or 1 that share one scale: a weight decodes as `scale * level`.
///
/// The encodings differ in how they pack the levels, and in where the scale stands.
package protocol TernaryFormat: EncodableBlockFormat {
    /// Where the scale stands, in bytes from the start of the block: IEEE 754 half, little-endian.
    static var scaleOffset: Int { get }

    /// Stores levels of -1, 0 or 1.
    static func storeLevels(
        into block: UnsafeMutableRawBufferPointer, _ level: (_ weight: Int) -> Int8)

    /// Calls `body` with every weight's place and its level.
    static func forEachLevel(
        of block: UnsafeRawBufferPointer, _ body: (_ weight: Int, _ level: Int32) -> Void)
}

extension TernaryFormat {
    package static var weightsPerBlock: Int { 256 }

    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = weights.extreme.magnitude
        let inverseScale = inverse(scale)
        store(scale: scale, into: block) { ternaryLevel(weights[$0] * inverseScale) }
    }

    /// Stores a scale and levels of -1, 0 or 1.
    static func store(
        scale: Float, into block: UnsafeMutableRawBufferPointer, _ level: (_ weight: Int) -> Int8
    ) {
        block.storeHalf(scale, at: scaleOffset)
        storeLevels(into: block, level)
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scale = block.half(at: scaleOffset)
        forEachLevel(of: block) { weights[$0] = scale * Float($1) }
    }
}

/// `steps`, of magnitude at most 1, to the nearest of -1, 0 and 1, ties away from zero; 0 for what
/// is not finite.
@inline(__always)
private func ternaryLevel(_ steps: Float) -> Int8 { steps >= 0.5 ? 1 : steps <= -0.5 ? -1 : 0 }
