/// A small deterministic generator (SplitMix64, Steele et al. 2014), so that a failure can be repeated.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

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
