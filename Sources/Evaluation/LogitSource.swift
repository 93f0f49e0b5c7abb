import Inference
import Kernels

/// Whatever predicts tokens: the decoder, or a table in a test.
///
/// In two steps, because the logits of all positions would not fit in memory and the hidden states do.
package protocol LogitSource: Sendable {
    var vocabularySize: Int { get }

    /// One row for each token of windows that all have the same length, window after window.
    func hiddenStates(of windows: [[Int32]]) throws -> Matrix

    /// (rows, vocabularySize), into `logits`.
    func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>) throws
}

extension Decoder: LogitSource {
    package var vocabularySize: Int { description.vocabularySize }

    package func hiddenStates(of windows: [[Int32]]) throws -> Matrix {
        try hiddenStates(ofSequences: windows)
    }
}
