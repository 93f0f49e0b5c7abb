import Kernels

/// What happens to a layer's queries, keys or values between their matrix and the scores.
struct HeadPreparation: Sendable {
    /// Elements are clamped to ±this.
    let clip: Float?
    let norm: Normalization?
    let rotary: RotaryTable?
    let headSize: Int

    /// - Parameters:
    ///   - heads: (tokens, heads × headSize), the first tokens of the batch.
    ///   - batch: the sequences that the tokens belong to.
    ///   - workers: the threads to compute on.
    func apply(to heads: Matrix, of batch: TokenBatch, _ workers: Workers) {
        guard clip != nil || norm != nil || rotary != nil else { return }
        workers.forEachRange(of: heads.rows, length: 256) { range in
            for row in range {
                let token = heads.row(row)
                if let clip {
                    for index in token.indices {
                        token[index] = min(max(token[index], -clip), clip)
                    }
                }
                norm?.apply(to: token, into: token)
                rotary?.rotate(
                    token, headSize: headSize,
                    position: batch.startPosition + row % batch.sequenceLength)
            }
        }
    }
}
