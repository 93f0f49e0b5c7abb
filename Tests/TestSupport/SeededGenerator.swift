import Kernels

/// Random numbers that a seed repeats, so that a failure can be repeated.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var bits: SplitMix64

    public init(seed: UInt64) { bits = SplitMix64(seed: seed) }

    public mutating func next() -> UInt64 { bits.next() }

    /// A number from the standard normal distribution (Box and Muller 1958).
    public mutating func normal() -> Float {
        let radius = (-2 * Float.random(in: 1e-7..<1, using: &self).logarithm).squareRoot()
        return radius * Float.random(in: 0..<(2 * .pi), using: &self).cosine
    }

    /// `count` standard normal numbers.
    public mutating func normals(_ count: Int) -> [Float] { (0..<count).map { _ in normal() } }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension Float {
    fileprivate var logarithm: Float { logf(self) }
    fileprivate var cosine: Float { cosf(self) }
}
