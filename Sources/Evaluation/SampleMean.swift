/// The mean of a sample, and how far off it may be.
public struct SampleMean: Sendable, Hashable {
    public let mean: Double
    /// The sample's deviation over √(n − 1), as llama.cpp states it; nil for fewer than two values.
    ///
    /// Neighbouring tokens resemble each other, so the truth is somewhat wider than this.
    public let standardError: Double?

    /// - Precondition: at least one value.
    public init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        self.mean = mean
        // Two passes: the mean of squares minus the square of the mean would cancel for small divergences.
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        standardError = values.count > 1 ? (squares / count / (count - 1)).squareRoot() : nil
    }
}

/// Where the values of a sample lie.
public struct Quantiles: Sendable, Hashable {
    public let median, percentile90, percentile99, maximum: Double

    /// - Precondition: at least one value.
    public init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let sorted = values.sorted()
        /// The value at `fraction` of the way, between its neighbours in proportion.
        func value(at fraction: Double) -> Double {
            let place = fraction * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
        }
        median = value(at: 0.5)
        percentile90 = value(at: 0.9)
        percentile99 = value(at: 0.99)
        maximum = value(at: 1)
    }
}
