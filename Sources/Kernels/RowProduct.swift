import CKernels

/// Rows up to which a product is computed one row at a time.
///
/// Below, reading the second operand is what takes the time, and packing it for a matrix product would
/// cost more than the product.
package let fewRows = 16

/// result (rows, columns) = scale · a · b + keep · result, as `multiply`, for activations `a`.
///
/// With at most `fewRows` rows, each row's result has the same bits whatever rows come with it: a token
/// decoded alone and the same token decoded among others are not told apart. `dotReference` states the
/// order of addition.
///
/// - Precondition: `a` is not transposed.
package func multiplyRows(
    _ a: MatrixOperand, _ b: MatrixOperand, into result: UnsafeMutablePointer<Float>, stride: Int,
    rows: Int, inner: Int, columns: Int, scale: Float = 1, adding: Bool = false
) {
    precondition(!a.isTransposed)
    guard rows <= fewRows else {
        return multiply(
            a, b, into: result, stride: stride, rows: rows, inner: inner, columns: columns,
            scale: scale, keep: adding ? 1 : 0)
    }
    for row in 0..<rows {
        let (x, out) = (a.start + row * a.stride, result + row * stride)
        if b.isTransposed {
            addDots(b, x, into: out, inner: inner, columns: columns, scale: scale, adding: adding)
        } else {
            if !adding { out.update(repeating: 0, count: columns) }
            detent_add_scaled_rows(b.start, b.stride, inner, x, scale, columns, out)
        }
    }
}

private func addDots(
    _ b: MatrixOperand, _ x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>,
    inner: Int, columns: Int, scale: Float, adding: Bool
) {
    guard adding else {
        return detent_dot_rows(b.start, b.stride, columns, x, inner, scale, out)
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { dots in
        guard let first = dots.baseAddress else { return }
        detent_dot_rows(b.start, b.stride, columns, x, inner, scale, first)
        for column in 0..<columns { out[column] += first[column] }
    }
}

/// The definition of a dot product in 32 lanes, to the bit.
package func dotReference(
    _ a: UnsafeBufferPointer<Float>, _ b: UnsafeBufferPointer<Float>
) -> Float {
    precondition(a.count == b.count)
    var lanes = [Float](repeating: 0, count: 32)
    for index in a.indices { lanes[index % 32] += a[index] * b[index] }
    for width in [16, 8, 4, 2, 1] {
        for lane in 0..<width { lanes[lane] += lanes[lane + width] }
    }
    return lanes[0]
}
