import Architectures
import Inference
import Kernels
import Quantization

/// Quantizes a model layer by layer while calibration text runs through it.
///
/// The inputs of a matrix come from a prefix that is already quantized, so each layer also makes up for
/// what the ones before it lost (Frantar et al. 2022, section 3). Within a layer the order is that of the
/// forward pass: query, key and value on one Hessian; the attention's output; gate and up; down; of a
/// mixture, the experts' gate and up and down one expert after the other.
package final class SequentialQuantizer: LinearInputObserver {
    /// Matrices that are due, with what the calibration text says about their inputs.
    package struct Request {
        package let roles: [TensorRole]
        /// (columns, columns), shared by all roles of the request; zero for an expert that no token
        /// reached.
        package let hessian: Matrix
        /// How far the inputs are from the model as it was; nil where nobody measures that.
        package let drift: InputDrift?
    }

    private let tokenWeights: LayerTokenWeights
    private let driftMeter: DriftMeter?
    private let quantize: (Request) throws -> [TensorRole: Matrix]

    /// - Parameters:
    ///   - weighting: what each token counts in the Hessians.
    ///   - driftMeter: has the model as it was, in front of the same text; nil to do without.
    ///   - quantize: returns the weights that each role has from now on, (outputs, inputs); one that it
    ///     leaves out keeps its own.
    package init(
        weighting: TokenWeighting, driftMeter: DriftMeter? = nil,
        quantize: @escaping (Request) throws -> [TensorRole: Matrix]
    ) {
        tokenWeights = LayerTokenWeights(weighting)
        self.driftMeter = driftMeter
        self.quantize = quantize
    }

    package func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        let weights = try tokenWeights.weights(for: roles, input: input, decoder: decoder)
        let drift = try driftMeter?.drift(
            of: roles, input: input, weights: weights, workers: decoder.workers)
        let hessian =
            drift?.hessian
            ?? (weights.isEmpty
                ? Matrix(rows: input.columns, columns: input.columns)
                : InputStatistics.hessian(
                    of: input.values, weights: weights, precision: decoder.weights.precision,
                    workers: decoder.workers))
        return try quantize(Request(roles: roles, hessian: hessian, drift: drift))
            .reduce(into: [:]) { result, entry in
                result[entry.key] = LinearMatrix(
                    entry.value, bias: decoder.bias(of: entry.key),
                    precision: decoder.weights.precision)
            }
    }
}
