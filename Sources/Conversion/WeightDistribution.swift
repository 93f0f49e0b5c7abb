import BlockFormats
import Kernels
import ProgressReporting
import TensorIR

/// How the weights of one tensor are distributed, and which of them lie far out.
///
/// Deviations are standard deviations of the tensor's own weights around their mean. What is no finite number is
/// counted and otherwise left out.
public struct WeightDistribution: Sendable, Hashable {
    public let weightCount: Int
    /// Weights that are NaN or infinite.
    public let notFiniteCount: Int
    public let zeroCount: Int
    public let minimum: Float
    public let maximum: Float
    public let mean: Double
    public let standardDeviation: Double
    /// The fourth moment by the squared second: 3 for normal weights, more with heavy tails; NaN where all
    /// weights are the same.
    public let kurtosis: Double
    /// Where the weight with the largest magnitude is.
    public let row: Int
    public let column: Int
    /// Weights from `-reach` to `reach` deviations, in bins of `binWidth`; the first and the last bin
    /// also count what lies beyond.
    public let histogram: [Int]
    /// Weights more than `reach` deviations from the mean.
    public let outlierCount: Int
    /// The column with the largest root mean square, and that by the root mean square of all weights: an input
    /// channel that takes more of the grid than others.
    public let heaviestColumn: Int
    public let heaviestColumnRatio: Double

    /// Deviations to either side of the mean that the histogram covers.
    public static let reach = 6.0
    /// Deviations of a bin.
    public static let binWidth = 0.5
    static let binCount = 24

    /// Looks at all weights of a tensor, twice.
    ///
    /// - Parameters:
    ///   - tensor: of any encoding that can be decoded.
    ///   - workers: the threads to work on. The result does not depend on their number.
    /// - Throws: `UnsupportedEncoding`, and what reading the tensor throws.
    init(_ tensor: any TensorSource, _ workers: Workers) throws {
        let columns = tensor.descriptor.columns
        var moments = Moments(columns: columns)
        for part in try tensor.mapDecodedRows(
            workers, { Moments($0, columns: columns, firstRow: $1.lowerBound) })
        {
            moments.add(part)
        }
        let count = Double(max(1, moments.finiteCount))
        let mean = moments.sum / count
        let deviation = max(0, moments.squares / count - mean * mean).squareRoot()
        var spread = Spread()
        for part in try tensor.mapDecodedRows(
            workers, { weights, _ in Spread(weights, mean: mean, deviation: deviation) })
        {
            spread.add(part)
        }
        weightCount = moments.weightCount
        notFiniteCount = moments.weightCount - moments.finiteCount
        (zeroCount, minimum, maximum) = (moments.zeroCount, moments.minimum, moments.maximum)
        (self.mean, standardDeviation) = (mean, deviation)
        kurtosis = spread.fourthPowers / count
        (row, column) = (moments.row, moments.column)
        (histogram, outlierCount) = (spread.bins, spread.outlierCount)
        let columnSquares = moments.columnSquares.map { $0 / Double(tensor.descriptor.rows) }
        let heaviest = columnSquares.indices.max { columnSquares[$0] < columnSquares[$1] } ?? 0
        heaviestColumn = heaviest
        let all = moments.squares / count
        heaviestColumnRatio =
            all > 0 && !columnSquares.isEmpty ? (columnSquares[heaviest] / all).squareRoot() : 0
    }

    /// The largest magnitude in deviations from 0; 0 where all weights are the same.
    public var largestInDeviations: Double {
        standardDeviation > 0
            ? Double(max(abs(minimum), abs(maximum))) / standardDeviation : 0
    }
}

/// What the first look at some rows finds.
private struct Moments {
    var weightCount = 0, finiteCount = 0, zeroCount = 0
    var sum = 0.0, squares = 0.0
    var minimum: Float = 0, maximum: Float = 0, largest: Float = -1
    var row = 0, column = 0
    var columnSquares: [Double]

    init(columns: Int) { columnSquares = [Double](repeating: 0, count: columns) }

    init(_ weights: UnsafeBufferPointer<Float>, columns: Int, firstRow: Int) {
        self.init(columns: columns)
        weightCount = weights.count
        for start in stride(from: 0, to: weights.count, by: max(1, columns)) {
            for column in 0..<columns where weights[start + column].isFinite {
                let weight = weights[start + column]
                let value = Double(weight)
                finiteCount += 1
                zeroCount += weight == 0 ? 1 : 0
                sum += value
                squares += value * value
                columnSquares[column] += value * value
                guard abs(weight) > largest || weight < minimum || weight > maximum else {
                    continue
                }
                (minimum, maximum) =
                    finiteCount == 1
                    ? (weight, weight) : (min(minimum, weight), max(maximum, weight))
                if abs(weight) > largest {
                    largest = abs(weight)
                    (row, self.column) = (firstRow + start / columns, column)
                }
            }
        }
    }

    /// Takes up what was found in rows further down.
    mutating func add(_ part: Moments) {
        guard part.finiteCount > 0 else {
            weightCount += part.weightCount
            return
        }
        minimum = finiteCount == 0 ? part.minimum : min(minimum, part.minimum)
        maximum = finiteCount == 0 ? part.maximum : max(maximum, part.maximum)
        weightCount += part.weightCount
        finiteCount += part.finiteCount
        zeroCount += part.zeroCount
        sum += part.sum
        squares += part.squares
        for column in columnSquares.indices {
            columnSquares[column] += part.columnSquares[column]
        }
        if part.largest > largest {
            (largest, row, column) = (part.largest, part.row, part.column)
        }
    }
}

/// What the second look finds, when mean and deviation are known.
private struct Spread {
    var bins = [Int](repeating: 0, count: WeightDistribution.binCount)
    var outlierCount = 0
    /// Of deviations.
    var fourthPowers = 0.0

    init() {}

    init(_ weights: UnsafeBufferPointer<Float>, mean: Double, deviation: Double) {
        let reach = WeightDistribution.reach
        let last = WeightDistribution.binCount - 1
        for weight in weights where weight.isFinite {
            let distance = (Double(weight) - mean) / deviation
            fourthPowers += distance * distance * distance * distance
            // Where all weights are the same, none has a distance.
            guard distance.isFinite else { continue }
            let bin = (min(max(distance, -reach), reach) + reach) / WeightDistribution.binWidth
            bins[min(Int(bin), last)] += 1
            outlierCount += abs(distance) > reach ? 1 : 0
        }
    }

    mutating func add(_ part: Spread) {
        for bin in bins.indices { bins[bin] += part.bins[bin] }
        outlierCount += part.outlierCount
        fourthPowers += part.fourthPowers
    }
}

extension Checkpoint {
    /// The distribution of each tensor's weights, in the tensors' order.
    ///
    /// - Parameters:
    ///   - threadCount: nil takes one per processor.
    ///   - progress: told of weights.
    /// - Returns: nil for tensors that hold no weights that could be decoded.
    /// - Throws: what reading the tensors throws.
    public func weightDistributions(
        threadCount: Int? = nil, progress: some ProgressSink = SilentProgress()
    ) throws -> [WeightDistribution?] {
        let workers = Workers(threadCount: threadCount)
        let phase = Phase("Looking at weights", unit: "weights")
        let total = tensors.reduce(0) { $0 &+ $1.descriptor.count }
        return try progress.phase(phase, total: total) {
            try tensors.map { tensor in
                defer { progress.advance(phase, by: tensor.descriptor.count) }
                do {
                    return try WeightDistribution(tensor, workers)
                } catch is UnsupportedEncoding {
                    return nil
                }
            }
        }
    }
}
