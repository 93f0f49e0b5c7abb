import ByteIO
import Kernels
import TensorIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a model predicted at the scored tokens of a text, kept in some hundred bytes a token: the tokens that
/// it finds likely, and of the others a sample that stands for their mass
/// (Formats/References/SPECIFICATION.md, which has the estimator's formulas too).
package struct StoredReference: Sendable {
    package let vocabularySize: Int
    /// Tokens in a window.
    package let context: Int
    /// Codes up to this one are of tokens that are kept for their own sake.
    let threshold: UInt16
    /// As they went through the model.
    package let windows: [[Int32]]
    /// −ln p of the token that came, row by row.
    let losses: [Float]
    /// Where each row's tokens start, and one more for the end of the last.
    let starts: [Int]
    let ids: [UInt32]
    /// −128 · ln p, rounded.
    let codes: [UInt16]

    /// Codes for one nat.
    static let codesPerNat = 128.0

    /// Rows that a window of so many tokens has.
    static func rowsPerWindow(context: Int) -> Int { context - 1 - context / 2 }
}

extension StoredReference: ReferenceRows {
    package func compare(
        row: Int, id: Int, logits: UnsafeBufferPointer<Float>, logSumExp: Double
    ) -> RowComparison {
        let mass = exp(-Double(threshold) / Self.codesPerNat)
        // What rounding adds: half of the mean square of an error that is uniform within a step.
        var divergence = -1 / (24 * Self.codesPerNat * Self.codesPerNat)
        var sampling = SamplingError()
        var top = starts[row]
        for place in starts[row]..<starts[row + 1] {
            if codes[place] < codes[top] { top = place }
            let logProbability = -Double(codes[place]) / Self.codesPerNat
            let d = logProbability - (Double(logits[Int(ids[place])]) - logSumExp)
            let x = expm1(-d)
            guard codes[place] > threshold else {
                let probability = exp(logProbability)
                divergence += probability * (d + x)
                sampling.control += probability * x
                continue
            }
            divergence += mass * (d + x)
            sampling.control += mass * x
            // Tokens that were nearly certain to be kept leave nearly nothing open.
            sampling.add(d: d, x: x, mass: mass, weight: 1 - exp(logProbability) / mass)
        }
        return RowComparison(
            negativeLogLikelihood: Double(losses[row]), divergence: divergence,
            top: Int(ids[top]), sampling: sampling)
    }
}
