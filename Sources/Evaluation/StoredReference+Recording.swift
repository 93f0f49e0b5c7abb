import Kernels
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Keeps what a model predicts as a `StoredReference`.
package final class StoredReferenceRecorder: RowRecorder {
    private let vocabularySize: Int
    private let threshold: UInt16
    private var losses: [Float] = []
    private var starts = [0]
    private var ids: [UInt32] = []
    private var codes: [UInt16] = []

    package init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
        let nats = log(max(1, Double(vocabularySize) / Self.timesUniform))
        threshold = UInt16((nats * StoredReference.codesPerNat).rounded())
    }

    /// τ is so many times the probability of a token if all were alike. Then the size per row grows with the
    /// vocabulary, as that of a row of logits does, and stays below a twentieth of it.
    private static let timesUniform = 5.0

    package func record(_ logits: Matrix, ids targets: [Int], on workers: Workers) {
        let first = losses.count
        let rows = Mutex([Row?](repeating: nil, count: targets.count))
        workers.forEach(targets.count) { [threshold] index in
            let row = Row(
                UnsafeBufferPointer(logits.row(index)), id: targets[index], threshold: threshold,
                number: first + index)
            rows.withLock { $0[index] = row }
        }
        for row in rows.withLock({ $0 }).compactMap(\.self) {
            losses.append(row.loss)
            ids += row.ids
            codes += row.codes
            starts.append(ids.count)
        }
    }

    /// - Parameters:
    ///   - windows: all whose rows were recorded.
    ///   - context: tokens in each.
    /// - Returns: what was recorded.
    package func finish(windows: [EvaluationWindow], context: Int) -> StoredReference {
        precondition(losses.count == windows.reduce(0) { $0 + $1.scored.count })
        return StoredReference(
            vocabularySize: vocabularySize, context: context, threshold: threshold,
            windows: windows.map(\.ids), losses: losses, starts: starts, ids: ids, codes: codes)
    }

    private struct Row: Sendable {
        let loss: Float
        var ids: [UInt32] = []
        var codes: [UInt16] = []

        /// - Parameters:
        ///   - logits: of the model.
        ///   - id: the token that came.
        ///   - threshold: the largest code that is kept for its own sake.
        ///   - number: of the row, counted through all windows; it seeds the draw.
        init(_ logits: UnsafeBufferPointer<Float>, id: Int, threshold: UInt16, number: Int) {
            let total = RowFunctions.logSumExp(logits)
            loss = Float(max(0, total - Double(logits[id])))
            let mass = exp(-Double(threshold) / StoredReference.codesPerNat)
            var generator = SplitMix64(seed: UInt64(number))
            var passed = generator.uniform()
            for (id, logit) in logits.enumerated() {
                let negative = max(0, total - Double(logit))
                // What is no number ends the evaluation where it is scored.
                let scaled = (negative * StoredReference.codesPerNat).rounded()
                let code = scaled < 65535 ? UInt16(scaled) : 65535
                if code > threshold {
                    let before = passed
                    passed += exp(-negative) / mass
                    guard passed.rounded(.down) > before.rounded(.down) else { continue }
                }
                ids.append(UInt32(id))
                codes.append(code)
            }
        }
    }
}
