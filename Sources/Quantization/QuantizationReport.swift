/// Why GPTQ rounded a layer to nearest instead.
@nonexhaustive
public enum GPTQFallback: Sendable, Hashable, CustomStringConvertible {
    /// The Hessian has infinite or undefined elements: the model's activations overflowed.
    case hessianNotFinite
    /// No calibration text made any input of the layer differ from zero.
    case noActivations
    /// The importance matrix has no numbers for the layer.
    case noStatistics
    /// No factorization, not even with this much damping.
    case hessianNotPositiveDefinite(dampingFraction: Float)

    public var description: String {
        switch self {
        case .hessianNotFinite:
            "the Hessian of its inputs is not finite"
        case .noActivations:
            "its inputs are zero throughout the calibration text"
        case .noStatistics:
            "the importance matrix says nothing about it"
        case .hessianNotPositiveDefinite(let fraction):
            "the Hessian is not positive definite, even with \(fraction) of its mean diagonal added"
        }
    }
}

/// What putting a matrix on a grid did to it.
public struct QuantizationReport: Sendable, Hashable {
    /// Σ e·H·eᵀ / Σ w·H·wᵀ over the rows w of the matrix with errors e: the part of the layer's
    /// squared output that is wrong on the calibration text. 0 where the output is zero.
    ///
    /// Without a Hessian, its place is taken by the columns' weights, or by ones.
    public var relativeError: Double
    /// The same if each weight had been rounded to nearest, with the same search for scales.
    public var relativeErrorOfRoundingToNearest: Double
    /// Σ w·H·wᵀ: what the errors are relative to.
    public var squaredOutput: Double
    /// Columns whose input was zero throughout the calibration text; their weights became zero.
    public var deadColumnCount = 0
    /// Of the Hessian's mean diagonal; nil where no Hessian was used.
    public var dampingFraction: Float?
    /// Why weights were rounded to nearest although GPTQ was asked for.
    public var fallback: GPTQFallback?

    /// Takes in what happened to other rows of the same matrix.
    package mutating func add(_ other: QuantizationReport) {
        let sum = squaredOutput + other.squaredOutput
        if sum > 0 {
            func mean(_ path: KeyPath<QuantizationReport, Double>) -> Double {
                (self[keyPath: path] * squaredOutput + other[keyPath: path] * other.squaredOutput)
                    / sum
            }
            (relativeError, relativeErrorOfRoundingToNearest) = (
                mean(\.relativeError), mean(\.relativeErrorOfRoundingToNearest)
            )
        }
        squaredOutput = sum
        fallback = fallback ?? other.fallback
    }
}
