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
        /// Dimension i with i + size / 2: Hugging Face.
        case halves
        /// Dimension 2i with 2i + 1: GGUF's `llama`.
        case adjacent
    }

    /// How a longer context than the base frequencies allow is reached.
    public enum Scaling: Sendable, Hashable {
        case none
        /// All frequencies divided by one factor (Chen et al. 2023).
        case linear(factor: Double)
        /// Low frequencies divided by a factor, high ones kept, a ramp between (Llama 3.1).
        case llama3(
            factor: Double, lowFrequency: Double, highFrequency: Double, originalContext: Int)
        /// Each frequency divided by its own factor, as GGUF's `rope_freqs.weight` holds it.
        case factors([Float])
    }

    /// Dimensions of a head that are rotated.
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

    /// Radians per position for each pair, with the scaling applied.
    public var frequencies: [Double] {
        let unscaled = unscaledFrequencies
        switch scaling {
        case .none: return unscaled
        case .linear(let factor): return unscaled.map { $0 / factor }
        case .llama3, .factors: return zip(unscaled, divisors).map { $0 / Double($1) }
        }
    }

    /// What each frequency is divided by, as GGUF's `rope_freqs.weight` states it.
    public var divisors: [Float] {
        switch scaling {
        case .none: return unscaledFrequencies.map { _ in 1 }
        case .linear(let factor): return unscaledFrequencies.map { _ in Float(factor) }
        case .factors(let factors): return factors
        case .llama3(let factor, let low, let high, let originalContext):
            return unscaledFrequencies.map { frequency in
                let turns = Double(originalContext) * frequency / (2 * .pi)
                if turns > high { return 1 }
                if turns < low { return Float(factor) }
                let ramp = (turns - low) / (high - low)
                return Float(1 / ((1 - ramp) / factor + ramp))
            }
        }
    }

    private var unscaledFrequencies: [Double] {
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
                ).divisors
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

    /// The row of a matrix with the other pairing that stands at `row` of one with `pairing`.
    ///
    /// Holds for queries and keys alike: heads stay in place, rows move within their head.
    public static func sourceRow(of row: Int, headSize: Int, to pairing: Pairing) -> Int {
        let (head, dimension) = row.quotientAndRemainder(dividingBy: headSize)
        let half = headSize / 2
        switch pairing {
        case .adjacent: return head * headSize + dimension % 2 * half + dimension / 2
        case .halves: return head * headSize + dimension % half * 2 + dimension / half
        }
    }
}
