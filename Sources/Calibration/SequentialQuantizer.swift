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
        package let modules: [TensorRole.Module]
        package let layer: Int
        /// (columns, columns); shared by all modules of the request.
        package let hessian: Matrix
    }

    private let tokenWeights: LayerTokenWeights
    private let quantize: (Request) throws -> [TensorRole.Module: Matrix]

    /// - Parameters:
    ///   - weighting: what each token counts in the Hessians.
    ///   - quantize: returns the weights that each module has from now on, (outputs, inputs); a
    ///     module that it leaves out keeps its own.
    package init(
        weighting: TokenWeighting,
        quantize: @escaping (Request) throws -> [TensorRole.Module: Matrix]
    ) {
        tokenWeights = LayerTokenWeights(weighting)
        self.quantize = quantize
    }

    package func replacements(
        for modules: [TensorRole.Module], layer: Int, input: UnsafeMutableBufferPointer<Float>,
        batch: TokenBatch, decoder: Decoder
    ) throws -> [TensorRole.Module: LinearMatrix] {
        let weights = try tokenWeights.weights(
            for: modules, layer: layer, input: input, batch: batch, decoder: decoder)
        let hessian = InputStatistics.hessian(
            of: input, weights: weights, workers: decoder.workers)
        return try quantize(Request(modules: modules, layer: layer, hessian: hessian))
            .reduce(into: [:]) { result, entry in
                let bias = decoder.bias(of: entry.key, layer: layer)
                result[entry.key] = LinearMatrix(entry.value, bias: bias)
            }
    }
}
