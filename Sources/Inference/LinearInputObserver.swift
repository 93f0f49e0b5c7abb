import Architectures
import Kernels

/// What a group of matrices is about to multiply.
package struct LinearInput {
    /// (tokens, columns); empty for an expert that no token visits.
    package let values: UnsafeMutableBufferPointer<Float>
    package let columns: Int
    /// The residual stream, (tokens, hiddenSize), where the product is added to it as it is.
    package let stream: Matrix?
    /// Which tokens of the batch the rows are, in ascending order: all, or those that visit one expert.
    package let tokens: [Int]
    /// The sequences that the tokens belong to.
    package let batch: TokenBatch
}

/// Sees the input of every linear layer just before it is multiplied, and may put other weights in place.
///
/// Matrices that share an input come together: query, key and value; gate and up. Replacing them here is
/// how a quantizer lets every later layer see what the earlier ones have become. In a mixture every expert
/// is asked about, in order and whether tokens visit it or not; the router, which decides where they go,
/// is not. The matrix that makes the logits comes last and only when asked for, as the output, which a tied
/// embedding doubles as.
package protocol LinearInputObserver {
    /// - Parameters:
    ///   - roles: the weights that will multiply the input.
    ///   - input: what they multiply.
    ///   - decoder: who asks.
    /// - Returns: weights to use in place of the model's, for this pass.
    /// - Throws: whatever should end the pass.
    func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix]
}
