#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension ImportanceMatrix.Entry {
    /// How the mean squares of a tensor's inputs are distributed over its columns.
    ///
    /// The columns of experts that no token reached are left out. The figures are those of
    /// `llama-imatrix --show-statistics`.
    public struct Statistics: Sendable, Hashable {
        /// Columns that the figures are about.
        public var columnCount = 0
        public var sum = 0.0
        public var least = 0.0
        public var greatest = 0.0
        /// Of the columns, the root of the unbiased variance.
        public var standardDeviation = 0.0
        /// Columns whose mean square exceeds 10⁻⁵, as a part of all.
        public var activeShare = 0.0
        /// −Σ p·log₂ p of the columns' shares p in the sum, in bits: log₂ of the column count when all
        /// columns matter alike, 0 when one alone does.
        public var entropy = 0.0
        /// Columns further than a standard deviation from the mean, as a part of all.
        public var outlierShare = 0.0

        public var mean: Double { columnCount > 0 ? sum / Double(columnCount) : 0 }
        /// The entropy as a part of the most that there could be.
        public var relativeEntropy: Double {
            columnCount > 1 ? entropy / log2(Double(columnCount)) : 0
        }
    }

    /// Mean squares of all columns of the matrices that tokens reached.
    private var reachedMeans: [Double] {
        counts.indices.filter { counts[$0] > 0 }.flatMap { matrix in
            means(ofMatrix: matrix).map(Double.init)
        }
    }

    public var statistics: Statistics {
        let means = reachedMeans
        guard !means.isEmpty else { return Statistics() }
        var result = Statistics(columnCount: means.count, sum: means.reduce(0, +))
        (result.least, result.greatest) = (means.min() ?? 0, means.max() ?? 0)
        let columnCount = Double(means.count)
        let mean = result.mean
        let squares = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        result.standardDeviation = (squares / max(1, columnCount - 1)).squareRoot()
        result.activeShare = Double(means.count { $0 > 1e-5 }) / columnCount
        if result.sum > 0 {
            for share in means.map({ $0 / result.sum }) where share > 0 {
                result.entropy -= share * log2(share)
            }
        }
        if result.standardDeviation > 0 {
            let outliers = means.count { abs($0 - mean) > result.standardDeviation }
            result.outlierShare = Double(outliers) / columnCount
        }
        return result
    }

    /// The cosine between the mean squares of two tensors' columns, or nil where their sizes differ
    /// or no token reached either.
    public func similarity(to other: Self) -> Double? {
        guard counts.count == other.counts.count, columns == other.columns else { return nil }
        var (product, mine, theirs) = (0.0, 0.0, 0.0)
        for matrix in counts.indices where counts[matrix] > 0 && other.counts[matrix] > 0 {
            for (a, b) in zip(means(ofMatrix: matrix), other.means(ofMatrix: matrix)) {
                product += Double(a) * Double(b)
                mine += Double(a) * Double(a)
                theirs += Double(b) * Double(b)
            }
        }
        return mine > 0 && theirs > 0 ? product / (mine * theirs).squareRoot() : nil
    }
}
