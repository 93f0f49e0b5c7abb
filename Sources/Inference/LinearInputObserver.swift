import Architectures
import Kernels

/// Sees the input of every linear layer just before it is multiplied, and may put other weights in place.
///
/// Matrices that share an input come together: query, key and value; gate and up. Replacing them here is
/// how a quantizer lets every later layer see what the earlier ones have become.
package protocol LinearInputObserver {
    /// - Parameters:
    ///   - roles: the matrices that will multiply `input`.
    ///   - input: (tokens, columns).
    ///   - batch: the sequences that the tokens belong to.
    ///   - decoder: who asks.
    /// - Returns: weights to use in place of the model's, for this pass.
    /// - Throws: whatever should end the pass.
    func replacements(
        for roles: [TensorRole], input: UnsafeMutableBufferPointer<Float>, batch: TokenBatch,
        decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix]
}
