import Architectures
import Inference
import Kernels

/// Quantizes a model layer by layer while calibration text runs through it.
///
/// The inputs of a matrix come from a prefix that is already quantized, so each layer also makes up for
/// what the ones before it lost (Frantar et al. 2022, section 3). Within a layer the order is that of the
/// forward pass: query, key and value on one Hessian; the attention's output; gate and up; down.
package final class SequentialQuantizer: LinearInputObserver {
    /// A matrix that is due, with what the calibration text says about its inputs.
    package struct Request {
        package let roles: [TensorRole]
        /// (columns, columns); shared by all matrices of the request, zero where no token came.
        package let hessian: Matrix
    }

    private let tokenWeights: LayerTokenWeights
    private let quantize: (Request) throws -> [TensorRole: Matrix]

    /// - Parameters:
    ///   - weighting: what each token counts in the Hessians.
    ///   - quantize: returns the weights that each role has from now on, (outputs, inputs); a role
    ///     that it leaves out keeps its own.
    package init(
        weighting: TokenWeighting,
        quantize: @escaping (Request) throws -> [TensorRole: Matrix]
    ) {
        tokenWeights = LayerTokenWeights(weighting)
        self.quantize = quantize
    }

    package func replacements(
        for roles: [TensorRole], input: UnsafeMutableBufferPointer<Float>, batch: TokenBatch,
        decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        let weights = try tokenWeights.weights(
            for: roles, input: input, batch: batch, decoder: decoder)
        let hessian = InputStatistics.hessian(
            of: input, weights: weights, workers: decoder.workers)
        return try quantize(Request(roles: roles, hessian: hessian))
            .reduce(into: [:]) { result, entry in
                result[entry.key] = LinearMatrix(entry.value, bias: decoder.bias(of: entry.key))
            }
    }
}
