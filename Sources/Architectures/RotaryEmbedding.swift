#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Positions as rotations of pairs of a head's dimensions (Su et al. 2021).
public struct RotaryEmbedding: Sendable, Hashable {
    /// Which dimensions of a head make a pair.
    ///
    /// Both mean the same model once the rows of the query and key matrices are ordered to match, which
    /// is the one difference between a Hugging Face Llama and its GGUF.
    public enum Pairing: Sendable, Hashable {
        /// Dimension i with i + dimensionCount / 2.
        case halves
        /// Dimension 2i with 2i + 1.
        case adjacent
    }

    /// How a longer context than the base frequencies allow is reached.
    public enum Scaling: Sendable, Hashable {
        case none
        /// All frequencies divided by one factor (Chen et al. 2023).
        case linear(factor: Double)
        /// A larger base for sequences beyond the original context, growing with them.
        case dynamic(factor: Double, originalContext: Int)
        /// Low frequencies divided by a factor, high ones kept, a ramp between (Peng et al. 2023).
        case yarn(YaRN)
        /// The same idea, with the ramp over wavelengths (Llama 3.1).
        case llama3(
            factor: Double, lowFrequency: Double, highFrequency: Double, originalContext: Int)
        /// Each frequency divided by its own factor, by one of two tables (Ding et al. 2024).
        case longRoPE(LongRoPE)
        /// Each frequency divided by its own factor, as GGUF's `rope_freqs.weight` holds it.
        case factors([Float])
    }

    /// The parameters of YaRN (Peng et al. 2023, section 3.4).
    public struct YaRN: Sendable, Hashable {
        public var factor: Double
        public var originalContext: Int
        /// Turns within the original context above which a frequency is kept, and below which it is
        /// divided by the whole factor.
        public var fastTurns = 32.0
        public var slowTurns = 1.0
        /// Whether the ramp starts and ends at whole dimensions.
        public var isTruncated = true
        /// What rotated queries and keys are multiplied by; nil for 0.1·ln(factor) + 1.
        public var attentionFactor: Double?

        public init(factor: Double, originalContext: Int) {
            (self.factor, self.originalContext) = (factor, originalContext)
        }

        /// 0.1·m·ln(factor) + 1, which makes up for attention that longer contexts spread thin.
        static func temperature(factor: Double, scale: Double = 1) -> Double {
            0.1 * scale * log(max(1, factor)) + 1
        }
    }

    /// The parameters of LongRoPE (Ding et al. 2024).
    public struct LongRoPE: Sendable, Hashable {
        /// Divisors for sequences within the original context.
        public var short: [Float]
        /// Divisors for longer ones.
        public var long: [Float]
        public var originalContext: Int
        /// What rotated queries and keys are multiplied by.
        public var attentionFactor: Float

        public init(
            short: [Float], long: [Float], originalContext: Int, attentionFactor: Float
        ) {
            (self.short, self.long) = (short, long)
            (self.originalContext, self.attentionFactor) = (originalContext, attentionFactor)
        }

        /// √(1 + ln(factor) / ln(originalContext)), 1 for a factor up to 1.
        static func attentionFactor(factor: Double, originalContext: Int) -> Float {
            guard factor > 1, originalContext > 1 else { return 1 }
            return Float((1 + log(factor) / log(Double(originalContext))).squareRoot())
        }
    }

    /// Dimensions of a head that are rotated, its first ones.
    public var dimensionCount: Int
    /// θ: the wavelengths form a geometric series up to 2πθ.
    public var base: Double
    public var pairing: Pairing
    public var scaling: Scaling

    public init(
        dimensionCount: Int, base: Double, pairing: Pairing, scaling: Scaling = .none
    ) {
        self.dimensionCount = dimensionCount
        self.base = base
        self.pairing = pairing
        self.scaling = scaling
    }

    /// What rotated queries and keys are multiplied by.
    public var attentionFactor: Double {
        switch scaling {
        case .yarn(let yarn): yarn.attentionFactor ?? YaRN.temperature(factor: yarn.factor)
        case .longRoPE(let longRoPE): Double(longRoPE.attentionFactor)
        default: 1
        }
    }

    /// Radians per position for each pair, with the scaling applied.
    ///
    /// - Parameter positionCount: positions that sequences may reach; `dynamic` and `longRoPE` depend on
    ///   it.
    /// - Returns: `dimensionCount / 2` frequencies.
    public func frequencies(positionCount: Int) -> [Double] {
        guard case .dynamic(let factor, let original) = scaling, positionCount > original else {
            let divisors = divisors(positionCount: positionCount)
            return zip(unscaledFrequencies(base: base), divisors).map { $0 / Double($1) }
        }
        let stretch = factor * Double(positionCount) / Double(original) - (factor - 1)
        let dimensions = Double(dimensionCount)
        return unscaledFrequencies(base: base * pow(stretch, dimensions / (dimensions - 2)))
    }

    /// What each frequency is divided by, as GGUF's `rope_freqs.weight` states it.
    public func divisors(positionCount: Int) -> [Float] {
        let unscaled = unscaledFrequencies(base: base)
        switch scaling {
        case .none, .dynamic: return unscaled.map { _ in 1 }
        case .linear(let factor): return unscaled.map { _ in Float(factor) }
        case .factors(let factors): return factors
        case .longRoPE(let longRoPE):
            return positionCount > longRoPE.originalContext ? longRoPE.long : longRoPE.short
        case .yarn(let yarn): return divisors(of: yarn)
        case .llama3(let factor, let low, let high, let originalContext):
            return unscaled.map { frequency in
                let turns = Double(originalContext) * frequency / (2 * .pi)
                if turns > high { return 1 }
                if turns < low { return Float(factor) }
                let ramp = (turns - low) / (high - low)
                return Float(1 / ((1 - ramp) / factor + ramp))
            }
        }
    }

    private func divisors(of yarn: YaRN) -> [Float] {
        // The pair that makes so many turns within the original context.
        func pair(turns: Double) -> Double {
            Double(dimensionCount) * log(Double(yarn.originalContext) / (turns * 2 * .pi))
                / (2 * log(base))
        }
        var (first, last) = (pair(turns: yarn.fastTurns), pair(turns: yarn.slowTurns))
        if yarn.isTruncated { (first, last) = (first.rounded(.down), last.rounded(.up)) }
        first = max(first, 0)
        last = min(last, Double(dimensionCount - 1))
        if first == last { last += 0.001 }
        return (0..<dimensionCount / 2).map { index in
            let ramp = min(1, max(0, (Double(index) - first) / (last - first)))
            return Float(1 / (ramp / yarn.factor + (1 - ramp)))
        }
    }

    private func unscaledFrequencies(base: Double) -> [Double] {
        stride(from: 0, to: dimensionCount, by: 2).map {
            pow(base, -Double($0) / Double(dimensionCount))
        }
    }

    /// The parameters of Llama 3.1's rule that give these factors, if some customary ones do.
    ///
    /// GGUF keeps the factors and forgets the rule; a Hugging Face configuration needs the rule.
    public static func llama3Scaling(
        matching factors: [Float], dimensionCount: Int, base: Double
    ) -> Scaling? {
        guard let factor = factors.max(), factor > 1 else { return nil }
        for (low, high) in [(1.0, 4.0), (1, 2), (1, 8), (2, 4), (2, 8), (1, 16), (1, 32)] {
            for exponent in 4...20 {
                let scaling = Scaling.llama3(
                    factor: Double(factor), lowFrequency: low, highFrequency: high,
                    originalContext: 1 << exponent)
                let candidate = RotaryEmbedding(
                    dimensionCount: dimensionCount, base: base, pairing: .halves, scaling: scaling
                ).divisors(positionCount: 0)
                // The file's factors were computed in single precision.
                let tolerance: Float = 1e-5
                if candidate.count == factors.count,
                    zip(candidate, factors).allSatisfy({ abs($0 - $1) <= tolerance * $1 })
                {
                    return scaling
                }
            }
        }
        return nil
    }

    /// Whether the rule of Llama 3.1 could not be found again from its factors.
    var isRuleLost: Bool {
        guard case .llama3 = scaling else { return false }
        return scaling
            != RotaryEmbedding.llama3Scaling(
                matching: divisors(positionCount: 0), dimensionCount: dimensionCount, base: base)
    }

    /// The row of a matrix with the other pairing that stands at `row` of one with `pairing`.
    ///
    /// Holds for queries and keys alike: heads stay in place, and so do dimensions that are not rotated.
    public func sourceRow(of row: Int, headSize: Int, to pairing: Pairing) -> Int {
        let (head, dimension) = row.quotientAndRemainder(dividingBy: headSize)
        guard dimension < dimensionCount else { return row }
        let half = dimensionCount / 2
        switch pairing {
        case .adjacent: return head * headSize + dimension % 2 * half + dimension / 2
        case .halves: return head * headSize + dimension % half * 2 + dimension / half
        }
    }
}
