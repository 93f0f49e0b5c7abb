import Inference
import Kernels

/// What a reference itself leaves open about the mean divergence from it: a smaller one says nothing about a
/// model.
public struct NoiseFloor: Sendable, Hashable {
    /// In nats per token.
    public let divergence: Double
    public let origin: Origin

    public enum Origin: String, Sendable, Hashable {
        /// A reference that was run: the mean divergence of it from itself, when the beginning of the text is
        /// computed a second time with sums in another order.
        case summation
        /// Predictions that were kept: the standard error that keeping them brings to the mean.
        case storage
    }

    /// Where the figure comes from, before all rows have been seen.
    enum Source {
        case measured(Double)
        case kept
    }
}

/// A model that can compute the same predictions with sums in another order.
package protocol RepeatableLogitSource: LogitSource {
    /// One row for each token of a window, as `hiddenStates(of:)` gives them but for rounding.
    func hiddenStatesAgain(of window: [Int32]) throws -> Matrix
}

extension Decoder: RepeatableLogitSource {
    /// Few rows are computed one by one, by other kernels than many together.
    private static var tokensPerPiece: Int { 16 }

    package func hiddenStatesAgain(of window: [Int32]) throws -> Matrix {
        let cache = try KVCache(for: self, capacity: window.count)
        let whole = Matrix(rows: window.count, columns: description.hiddenSize)
        for start in stride(from: 0, to: window.count, by: Self.tokensPerPiece) {
            let piece = start..<min(start + Self.tokensPerPiece, window.count)
            let hidden = try hiddenStates(
                of: TokenBatch([Array(window[piece])], startPosition: start), cache: cache)
            for row in piece {
                _ = whole.row(row).update(fromContentsOf: hidden.row(row - start))
            }
        }
        return whole
    }
}

extension RepeatableLogitSource {
    /// The mean divergence of the model from itself over the first tokens of a text.
    ///
    /// - Parameters:
    ///   - window: the beginning of the text; 64 tokens of it are taken.
    ///   - workers: the threads to work on.
    /// - Returns: in nats; rounding may give single divergences either sign, so their magnitudes are taken.
    /// - Throws: what the model throws.
    func divergenceFromItself(on window: [Int32], _ workers: Workers) throws -> Double {
        let ids = Array(window.prefix(64))
        func logits(_ hidden: Matrix) throws -> Matrix {
            let logits = Matrix(rows: ids.count, columns: vocabularySize)
            try self.logits(of: hidden, rows: Array(ids.indices), into: logits.elements)
            return logits
        }
        let (once, again) = (
            try logits(hiddenStates(of: [ids])), try logits(hiddenStatesAgain(of: ids))
        )
        let divergences = ids.indices.map { position in
            let (p, q) = (
                UnsafeBufferPointer(once.row(position)), UnsafeBufferPointer(again.row(position))
            )
            return RowFunctions.divergence(
                reference: p, logSumExp: RowFunctions.logSumExp(p),
                model: q, logSumExp: RowFunctions.logSumExp(q)
            ).magnitude
        }
        return divergences.reduce(0, +) / Double(divergences.count)
    }
}
