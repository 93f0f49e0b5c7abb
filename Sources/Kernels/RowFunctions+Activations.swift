import CKernels

/// Nonlinearities, applied to each element of a row in place.
///
/// Relative errors are within a few of the exponential's, also where a function's value is tiny.
extension RowFunctions {
    /// x / (1 + exp(−x)).
    package static func silu(_ x: UnsafeMutableBufferPointer<Float>) {
        guard let start = x.baseAddress else { return }
        detent_silu(start, x.count)
    }

    /// x · Φ(x) = x · (1 + erf(x / √2)) / 2 (Hendrycks and Gimpel 2016).
    package static func gelu(_ x: UnsafeMutableBufferPointer<Float>) {
        guard let start = x.baseAddress else { return }
        detent_gelu(start, x.count)
    }

    /// x · (1 + tanh(√(2 / π) · (x + 0.044715 · x³))) / 2.
    package static func geluTanh(_ x: UnsafeMutableBufferPointer<Float>) {
        guard let start = x.baseAddress else { return }
        detent_gelu_tanh(start, x.count)
    }

    /// x / (1 + exp(−1.702 · x)).
    package static func geluSigmoid(_ x: UnsafeMutableBufferPointer<Float>) {
        guard let start = x.baseAddress else { return }
        detent_gelu_sigmoid(start, x.count)
    }

    /// max(x, 0).
    package static func relu(_ x: UnsafeMutableBufferPointer<Float>) {
        for index in x.indices { x[index] = max(x[index], 0) }
    }

    /// max(x, 0)².
    package static func reluSquared(_ x: UnsafeMutableBufferPointer<Float>) {
        for index in x.indices {
            let positive = max(x[index], 0)
            x[index] = positive * positive
        }
    }

    /// cap · tanh(x / cap): nearly x while that is small, never beyond ±cap.
    package static func softcap(_ x: UnsafeMutableBufferPointer<Float>, cap: Float) {
        guard let start = x.baseAddress else { return }
        detent_softcap(start, cap, x.count)
    }

    /// x = x · factors, element by element.
    package static func multiply(
        _ x: UnsafeMutableBufferPointer<Float>, by factors: UnsafeBufferPointer<Float>
    ) {
        precondition(x.count == factors.count)
        for index in x.indices { x[index] *= factors[index] }
    }
}
