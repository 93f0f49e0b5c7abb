import COneDNN

/// One operand of a product: where its first element stands and how far apart its rows are.
package struct MatrixOperand {
    package let start: UnsafePointer<Float>
    package let stride: Int
    package let isTransposed: Bool

    /// - Parameters:
    ///   - start: the first element; the matrix must outlive the operand.
    ///   - stride: elements from one stored row to the next.
    ///   - transposed: whether the stored rows are the operand's columns.
    package init(_ start: UnsafePointer<Float>, stride: Int, transposed: Bool = false) {
        (self.start, self.stride, isTransposed) = (start, stride, transposed)
    }
}

/// result (rows, columns) = scale · a · b + keep · result.
///
/// Runs on the calling thread only when that is one of `Workers`'; in 32-bit floating point, sums in
/// an order that depends on the shape alone. `multiplyReference` states what is computed.
///
/// oneDNN's inner loops keep things further below the stack's end than the ABI's 128 bytes. A thread that calls
/// this must block all signals that have a handler, unless the handler has a stack of its own.
package func multiply(
    _ a: MatrixOperand, _ b: MatrixOperand, into result: UnsafeMutablePointer<Float>, stride: Int,
    rows: Int, inner: Int, columns: Int, scale: Float = 1, keep: Float = 0
) {
    guard rows > 0, columns > 0 else { return }
    let status = dnnl_sgemm(
        transposition(a.isTransposed), transposition(b.isTransposed),
        dnnl_dim_t(rows), dnnl_dim_t(columns), dnnl_dim_t(inner), scale,
        a.start, dnnl_dim_t(a.stride), b.start, dnnl_dim_t(b.stride), keep,
        result, dnnl_dim_t(stride))
    // Fails for invalid strides only, and those are the caller's mistake.
    precondition(status == dnnl_success, "oneDNN refused a product (status \(status.rawValue))")
}

/// The letter that tells oneDNN's products whether an operand is transposed.
func transposition(_ isTransposed: Bool) -> CChar {
    CChar(UInt8(ascii: isTransposed ? "T" : "N"))
}

/// The definition that `multiply` follows, up to the order of addition.
package func multiplyReference(
    _ a: MatrixOperand, _ b: MatrixOperand, into result: UnsafeMutablePointer<Float>, stride: Int,
    rows: Int, inner: Int, columns: Int, scale: Float = 1, keep: Float = 0
) {
    func element(_ operand: MatrixOperand, _ row: Int, _ column: Int) -> Double {
        let index =
            operand.isTransposed ? column * operand.stride + row : row * operand.stride + column
        return Double(operand.start[index])
    }
    for row in 0..<rows {
        for column in 0..<columns {
            var sum = 0.0
            for k in 0..<inner { sum += element(a, row, k) * element(b, k, column) }
            let place = row * stride + column
            let kept = keep == 0 ? 0 : Double(keep) * Double(result[place])
            result[place] = Float(Double(scale) * sum + kept)
        }
    }
}
