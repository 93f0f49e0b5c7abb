/// A small generator of random bits that a seed repeats exactly (SplitMix64, Steele et al. 2014).
///
/// Good enough to draw tokens and signs with; not for secrets.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }

    /// A number from 0 inclusive to 1 exclusive, of 53 random bits.
    ///
    /// Not left to the standard library, which may change how it makes one: the same seed should
    /// always give the same text.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
