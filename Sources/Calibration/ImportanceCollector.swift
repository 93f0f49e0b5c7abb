import Architectures
import Inference
import Kernels

/// Gathers how large the inputs of every matrix are: the diagonal of its Hessian.
///
/// The model stays as it is, so one pass over the text serves every later quantization, and a long text
/// may come in several batches.
package final class ImportanceCollector: LinearInputObserver {
    /// What is known about the inputs of one matrix.
    package struct Sums: Sendable {
        /// Σ w·x² per column.
        package fileprivate(set) var squares: [Double]
        package fileprivate(set) var tokenCount: Int

        /// mean of w·x² per column.
        package var means: [Float] { squares.map { Float($0 / Double(tokenCount)) } }
    }

    private let tokenWeights: LayerTokenWeights
    /// For each matrix; the count is 0 for an expert that no token reached.
    package private(set) var sums: [TensorRole: Sums] = [:]

    /// mean of w·x² per column, for each matrix that any token reached.
    package var meanSquares: [TensorRole: [Float]] {
        sums.filter { $0.value.tokenCount > 0 }.mapValues(\.means)
    }

    package init(weighting: TokenWeighting) {
        tokenWeights = LayerTokenWeights(weighting)
    }

    package func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        let weights = try tokenWeights.weights(for: roles, input: input, decoder: decoder)
        let squares = InputStatistics.sumsOfSquares(
            of: input.values, columns: input.columns, weights: weights, workers: decoder.workers)
        for role in roles {
            guard let known = sums[role] else {
                sums[role] = Sums(squares: squares, tokenCount: weights.count)
                continue
            }
            sums[role] = Sums(
                squares: zip(known.squares, squares).map { $0 + $1 },
                tokenCount: known.tokenCount + weights.count)
        }
        return [:]
    }
}
