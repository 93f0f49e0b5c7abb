import Kernels

/// A reference's predictions, one row for each scored position, whatever they are kept in.
package protocol ReferenceRows: Sendable {
    var vocabularySize: Int { get }

    /// Holds a model's prediction against a row. Threads may call this at the same time.
    ///
    /// - Parameters:
    ///   - row: which one.
    ///   - id: the token that came.
    ///   - logits: the model's, one for each token of the vocabulary.
    ///   - logSumExp: of `logits`.
    /// - Returns: the reference's loss, and how far the model is from it.
    func compare(
        row: Int, id: Int, logits: UnsafeBufferPointer<Float>, logSumExp: Double
    ) -> RowComparison
}

/// What a row of a reference says of a model's prediction.
package struct RowComparison: Sendable {
    /// The reference's, of the token that came, in nats.
    var negativeLogLikelihood: Double
    /// In nats.
    var divergence: Double
    /// The token that the reference finds most likely.
    var top: Int
    /// What the divergence may be corrected by, where it was computed from a sample of the vocabulary.
    var sampling = SamplingError()
}

/// Logits of a reference that has just been run.
struct LogitRows: ReferenceRows {
    /// (rows, vocabularySize)
    let logits: Matrix

    var vocabularySize: Int { logits.columns }

    func compare(
        row: Int, id: Int, logits model: UnsafeBufferPointer<Float>, logSumExp: Double
    ) -> RowComparison {
        let reference = UnsafeBufferPointer(logits.row(row))
        let total = RowFunctions.logSumExp(reference)
        return RowComparison(
            negativeLogLikelihood: total - Double(reference[id]),
            divergence: RowFunctions.divergence(
                reference: reference, logSumExp: total, model: model, logSumExp: logSumExp),
            top: RowFunctions.indexOfMaximum(reference))
    }
}

/// Takes the rows that a model predicts, in the text's order, to keep them for later comparisons.
package protocol RowRecorder: AnyObject {
    /// - Parameters:
    ///   - logits: one row for each of `ids`; there may be more.
    ///   - ids: the tokens that came.
    ///   - workers: the threads to work on.
    /// - Throws: `SystemError` where rows go to a file that cannot be written.
    func record(_ logits: Matrix, ids: [Int], on workers: Workers) throws
}
