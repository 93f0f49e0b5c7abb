/// Bringing rows to unit size. Out may be the row itself.
extension RowFunctions {
    /// out = x / √(mean of x² + epsilon) · gain (Zhang and Sennrich 2019, equation 4).
    package static func rmsNorm(
        _ x: UnsafeBufferPointer<Float>, gain: UnsafeBufferPointer<Float>, epsilon: Float,
        into out: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(x.count == gain.count && x.count == out.count)
        let scale = 1 / (sumOfSquares(x) / Float(x.count) + epsilon).squareRoot()
        for index in x.indices { out[index] = x[index] * scale * gain[index] }
    }

    /// out = (x − mean) / √(variance + epsilon) · gain (Ba et al. 2016, equation 4, without the bias).
    package static func layerNorm(
        _ x: UnsafeBufferPointer<Float>, gain: UnsafeBufferPointer<Float>, epsilon: Float,
        into out: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(x.count == gain.count && x.count == out.count)
        let mean = partialSums(x) { $0 }.sum() / Float(x.count)
        // The squares of differences from the mean, which do not cancel as the mean of x² less the
        // mean's square would.
        let squares = partialSums(x) { ($0 - mean) * ($0 - mean) }.sum()
        let scale = 1 / (squares / Float(x.count) + epsilon).squareRoot()
        for index in x.indices { out[index] = (x[index] - mean) * scale * gain[index] }
    }

    /// Σ x², in eight interleaved partial sums.
    package static func sumOfSquares(_ x: UnsafeBufferPointer<Float>) -> Float {
        partialSums(x) { $0 * $0 }.sum()
    }

    /// Σ term(x) over every eighth element.
    @inline(__always)
    private static func partialSums(
        _ x: UnsafeBufferPointer<Float>, _ term: (SIMD8<Float>) -> SIMD8<Float>
    ) -> SIMD8<Float> {
        let raw = UnsafeRawBufferPointer(x)
        let whole = x.count / 8 * 8
        var sums = SIMD8<Float>.zero
        for index in stride(from: 0, to: whole, by: 8) {
            sums += term(raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self))
        }
        for index in whole..<x.count { sums[index % 8] += term(SIMD8(repeating: x[index]))[0] }
        return sums
    }
}
