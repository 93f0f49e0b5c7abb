/// What a sample of the vocabulary leaves open about the divergence of a row, and of many
/// (Formats/References/SPECIFICATION.md, "What is computed from it").
///
/// Sums over the sampled tokens of d, the logarithm of the reference's probability over the model's, and of
/// x, the model's over the reference's minus 1, each times τ, the mass that a sample stands for; and weighted by how
/// uncertain it was that the token would be kept.
struct SamplingError: Sendable {
    /// Has the expectation 0: C of the specification.
    var control = 0.0
    var sampleCount = 0.0
    var sumOfD = 0.0
    var sumOfX = 0.0
    var sumOfSquaredD = 0.0
    var sumOfSquaredX = 0.0
    var sumOfProducts = 0.0
    /// Of all rows' divergences, where what was kept of the reference are rounded numbers.
    var roundingVariance = 0.0

    /// - Parameters:
    ///   - d: of a sampled token.
    ///   - x: of the same.
    ///   - mass: τ.
    ///   - weight: 1 minus the probability with which the token was kept.
    mutating func add(d: Double, x: Double, mass: Double, weight: Double) {
        sampleCount += weight
        sumOfD += weight * mass * d
        sumOfX += weight * mass * x
        sumOfSquaredD += weight * mass * mass * d * d
        sumOfSquaredX += weight * mass * mass * x * x
        sumOfProducts += weight * mass * mass * d * x
    }

    static func + (a: Self, b: Self) -> Self {
        Self(
            control: a.control + b.control, sampleCount: a.sampleCount + b.sampleCount,
            sumOfD: a.sumOfD + b.sumOfD, sumOfX: a.sumOfX + b.sumOfX,
            sumOfSquaredD: a.sumOfSquaredD + b.sumOfSquaredD,
            sumOfSquaredX: a.sumOfSquaredX + b.sumOfSquaredX,
            sumOfProducts: a.sumOfProducts + b.sumOfProducts,
            roundingVariance: a.roundingVariance + b.roundingVariance)
    }

    private func covariance(_ product: Double, _ a: Double, _ b: Double) -> Double {
        product / sampleCount - a / sampleCount * (b / sampleCount)
    }

    /// β: how much of x is added to d to make the variance small.
    var weight: Double {
        guard sampleCount > 1 else { return 1 }
        let slope =
            -covariance(sumOfProducts, sumOfD, sumOfX) / covariance(sumOfSquaredX, sumOfX, sumOfX)
        return slope.isFinite ? min(1, max(0, slope)) : 1
    }

    /// How far the mean over so many rows may be from the one over the whole vocabulary: one standard error.
    func standardError(weight: Double, rowCount: Int) -> Double {
        var variance = roundingVariance
        if sampleCount > 1 {
            let perSample =
                covariance(sumOfSquaredD, sumOfD, sumOfD)
                + 2 * weight * covariance(sumOfProducts, sumOfD, sumOfX)
                + weight * weight * covariance(sumOfSquaredX, sumOfX, sumOfX)
            variance += sampleCount * max(0, perSample)
        }
        return variance.squareRoot() / Double(rowCount)
    }
}
