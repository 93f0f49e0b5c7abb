import Architectures
import Inference
import Kernels

/// Gathers how large the inputs of every matrix are: the diagonal of its Hessian.
///
/// The model stays as it is, so one pass over the text serves every later quantization.
package final class ImportanceCollector: LinearInputObserver {
    private let tokenWeights: LayerTokenWeights
    /// mean of w·x² per column, for each matrix that any token reached.
    package private(set) var meanSquares: [TensorRole: [Float]] = [:]

    package init(weighting: TokenWeighting) {
        tokenWeights = LayerTokenWeights(weighting)
    }

    package func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        let weights = try tokenWeights.weights(for: roles, input: input, decoder: decoder)
        guard !weights.isEmpty else { return [:] }
        let squares = InputStatistics.meanSquares(
            of: input.values, weights: weights, workers: decoder.workers)
        for role in roles { meanSquares[role] = squares }
        return [:]
    }
}
