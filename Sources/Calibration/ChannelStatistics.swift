import Inference
import Kernels
import Transforms

/// What calibration text says about the channels of one fold: sums over all inputs that read them.
final class ChannelStatistics {
    private var gram: Matrix?
    private var magnitudes: [Double] = []
    private var tokenCount: Float = 0

    /// Adds the inputs of some tokens, each counting as much as its weight.
    func add(_ input: LinearInput, weights: [Float], workers: Workers) {
        guard !weights.isEmpty else { return }
        let count = Float(weights.count)
        let mean = InputStatistics.hessian(of: input.values, weights: weights, workers: workers)
        let sizes = InputStatistics.sumsOfMagnitudes(
            of: input.values, columns: input.columns, weights: weights, workers: workers)
        let gram = gram ?? Matrix(rows: input.columns, columns: input.columns)
        for index in gram.elements.indices { gram.elements[index] += count * mean.elements[index] }
        magnitudes = magnitudes.isEmpty ? sizes : zip(magnitudes, sizes).map { $0 + $1 }
        tokenCount += count
        self.gram = gram
    }

    var isFinite: Bool { gram?.elements.allSatisfy(\.isFinite) ?? true }

    /// Σ w·x·xᵀ / Σ 1, (columns, columns), or nil where no token came.
    var hessian: Matrix? {
        guard let gram else { return nil }
        return Matrix(
            rows: gram.rows, columns: gram.columns, gram.elements.map { $0 / tokenCount })
    }

    /// The mean magnitude of each channel, over all columns that read it.
    func magnitudes(of fold: ChannelFold) -> [Float] {
        var sums = [Float](repeating: 0, count: fold.channelCount)
        var counts = sums
        for (column, size) in magnitudes.enumerated() {
            sums[fold.channelOfColumn[column]] += Float(size / Double(tokenCount))
            counts[fold.channelOfColumn[column]] += 1
        }
        return zip(sums, counts).map { $1 > 0 ? $0 / $1 : 0 }
    }
}
