/// The mean of a value over the scored tokens of a text, and how far off it may be.
///
/// Two errors stand beside it, for they answer different questions.
///
/// `standardError` takes tokens for independent, as llama.cpp does, so that figures can be compared with its
/// "±". Tokens are not: those of a window share their context and their subject, and where a model loses its
/// way it does so for a whole passage. Nothing is decided by this error.
///
/// `interval` takes *blocks* of tokens for independent, the scored tokens of one window or, where windows
/// overlap, of as many windows as one is long (`Convention.windowsPerBlock`): no two blocks share a scored
/// token, and at most half of what one is scored on is context of the next. With S_b the sum and n_b the
/// number of values of block b, N = Σ n_b and G blocks, mean = Σ S_b / N is a ratio of two sums, whose error
/// to first order is (Cochran, Sampling Techniques, 1977, section 6.4)
///
///     e² = G / (G − 1) · Σ_b (S_b − n_b · mean)² / N²
///
/// and the interval is mean ± t · e, with t the quantile of Student's distribution of G − 1 degrees of
/// freedom. What it speaks of is more text like this one, not text of another kind; and windows of one
/// long article still resemble each other, so that it is somewhat narrow for a perplexity. For differences
/// between two models on the same tokens most of that resemblance cancels.
public struct SampleMean: Sendable, Hashable {
    public let mean: Double
    /// The sample's deviation over √(n − 1), as llama.cpp states it; nil for fewer than two values.
    public let standardError: Double?
    /// The error with blocks as the unit, e above; nil for fewer than two blocks.
    public let blockStandardError: Double?
    public let blockCount: Int
    /// What no value lies beyond, and so no mean; the interval ends there, too.
    private let limits: ClosedRange<Double>

    /// - Parameters:
    ///   - values: at least one.
    ///   - blocks: which values belong together, in order and without gaps; by default each stands alone.
    ///   - limits: the lowest and the highest value that there can be.
    public init(
        _ values: [Double], blocks: [Range<Int>]? = nil,
        limits: ClosedRange<Double> = -.infinity ... .infinity
    ) {
        precondition(!values.isEmpty)
        self.limits = limits
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        self.mean = mean
        // Two passes: the mean of squares minus the square of the mean would cancel for small divergences.
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        standardError = values.count > 1 ? (squares / count / (count - 1)).squareRoot() : nil
        blockCount = blocks?.count ?? values.count
        guard blockCount > 1 else {
            blockStandardError = nil
            return
        }
        let deviations =
            blocks.map { $0.map { values[$0].reduce(0) { $0 + ($1 - mean) } } }
            ?? values.map { $0 - mean }
        blockStandardError = SampleMean.blockError(deviations) / count
    }

    /// The error of a sum of blocks, from what each lies off its share.
    static func blockError(_ deviations: [Double]) -> Double {
        let groups = Double(deviations.count)
        return (groups / (groups - 1) * deviations.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    /// Where the mean of more text like this lies, with so much confidence.
    ///
    /// - Parameter confidence: of both sides together, 0.95 leaves 0.025 on either; above 0 and below 1.
    /// - Returns: mean ± t · e within the limits, or nil for fewer than two blocks.
    public func interval(confidence: Double = 0.95) -> ConfidenceInterval? {
        blockStandardError.map { error in
            let reach = StudentDistribution.quantile(
                (1 + confidence) / 2, degreesOfFreedom: blockCount - 1)
            return ConfidenceInterval(
                lower: max(limits.lowerBound, mean - reach * error),
                upper: min(limits.upperBound, mean + reach * error))
        }
    }
}

/// Where a figure lies with a stated confidence, 0.95 unless said otherwise.
public struct ConfidenceInterval: Sendable, Hashable {
    public let lower, upper: Double

    public init(lower: Double, upper: Double) { (self.lower, self.upper) = (lower, upper) }

    /// Both ends through a function that grows with its argument.
    public func map(_ increasing: (Double) -> Double) -> ConfidenceInterval {
        ConfidenceInterval(lower: increasing(lower), upper: increasing(upper))
    }
}

/// Where the values of a sample lie.
public struct Quantiles: Sendable, Hashable {
    public let median, percentile90, percentile99, percentile999, maximum: Double

    /// - Precondition: at least one value.
    public init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let sorted = values.sorted()
        /// The value at `fraction` of the way, between its neighbours in proportion, as llama.cpp does.
        func value(at fraction: Double) -> Double {
            let place = fraction * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
        }
        median = value(at: 0.5)
        percentile90 = value(at: 0.9)
        percentile99 = value(at: 0.99)
        percentile999 = value(at: 0.999)
        maximum = value(at: 1)
    }
}
