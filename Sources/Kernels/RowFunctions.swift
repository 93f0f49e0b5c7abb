import CKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Functions over a row of numbers, each with the definition that its kernel follows.
///
/// The exponential behind them has a relative error below 2⁻²²; arguments under −87 count as −87.
package enum RowFunctions {
    /// Replaces a row by its softmax.
    package static func softmax(_ row: UnsafeMutableBufferPointer<Float>) {
        guard let start = row.baseAddress else { return }
        let maximum = detent_maximum(start, row.count)
        let inverse = 1 / detent_exponentials(start, maximum, row.count)
        for index in row.indices { row[index] *= inverse }
    }

    /// log Σ exp(row): what is subtracted from a logit to make it a log-probability.
    package static func logSumExp(_ row: UnsafeBufferPointer<Float>) -> Double {
        guard let start = row.baseAddress else { return -.infinity }
        let maximum = detent_maximum(start, row.count)
        return Double(maximum) + log(detent_exponential_sum(start, maximum, row.count))
    }

    /// Kullback and Leibler's divergence of the model's distribution from the reference's, in nats,
    /// from the logits of both and their `logSumExp`.
    package static func divergence(
        reference: UnsafeBufferPointer<Float>, logSumExp a: Double,
        model: UnsafeBufferPointer<Float>, logSumExp b: Double
    ) -> Double {
        precondition(reference.count == model.count)
        guard let first = reference.baseAddress, let second = model.baseAddress else { return 0 }
        return detent_divergence(first, Float(a), second, Float(b), reference.count)
    }

    /// gate = silu(gate) · up, element by element.
    package static func siluProduct(
        _ gate: UnsafeMutableBufferPointer<Float>, _ up: UnsafeBufferPointer<Float>
    ) {
        precondition(gate.count == up.count)
        guard let first = gate.baseAddress, let second = up.baseAddress else { return }
        detent_silu_product(first, second, gate.count)
    }

    /// The place of the largest element, the first of equals.
    package static func indexOfMaximum(_ row: UnsafeBufferPointer<Float>) -> Int {
        guard let start = row.baseAddress else { return 0 }
        let maximum = detent_maximum(start, row.count)
        return row.firstIndex(of: maximum) ?? 0
    }

    /// out = x / √(mean of x² + epsilon) · gain (Zhang and Sennrich 2019, equation 4).
    package static func rmsNorm(
        _ x: UnsafeBufferPointer<Float>, gain: UnsafeBufferPointer<Float>, epsilon: Float,
        into out: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(x.count == gain.count && x.count == out.count)
        let scale = 1 / (sumOfSquares(x) / Float(x.count) + epsilon).squareRoot()
        for index in x.indices { out[index] = x[index] * scale * gain[index] }
    }

    /// Σ x², in eight interleaved partial sums.
    package static func sumOfSquares(_ x: UnsafeBufferPointer<Float>) -> Float {
        let raw = UnsafeRawBufferPointer(x)
        let whole = x.count / 8 * 8
        var sums = SIMD8<Float>.zero
        for index in stride(from: 0, to: whole, by: 8) {
            let eight = raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
            sums += eight * eight
        }
        for index in whole..<x.count { sums[index % 8] += x[index] * x[index] }
        return sums.sum()
    }
}
