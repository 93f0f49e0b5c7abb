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

    /// The largest element: minus infinity for none, NaN where one is.
    package static func maximum(_ row: UnsafeBufferPointer<Float>) -> Float {
        guard let start = row.baseAddress else { return -.infinity }
        return detent_maximum(start, row.count)
    }

    /// The place of the largest element, the first of equals.
    package static func indexOfMaximum(_ row: UnsafeBufferPointer<Float>) -> Int {
        guard let start = row.baseAddress else { return 0 }
        let maximum = detent_maximum(start, row.count)
        return row.firstIndex(of: maximum) ?? 0
    }
}
