import Kernels

/// How precise the numbers are that products multiply, those with matrices and those of attention. Sums, and all
/// else, are in 32-bit floating point.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    /// Weights as they decode and activations as they come: exact but for the rounding of the sums.
    case f32
    /// Both rounded to bfloat16, for more than sixteen tokens at a time. Twice as fast on processors with
    /// instructions for it; on those without AVX-512 the same numbers, slower than `f32`.
    case bf16

    /// As `multiplyRows`, in this precision.
    func multiplyRows(
        _ a: MatrixOperand, _ b: MatrixOperand, into result: UnsafeMutablePointer<Float>,
        stride: Int, rows: Int, inner: Int, columns: Int, scale: Float = 1, adding: Bool = false
    ) {
        guard self == .bf16, rows > fewRows else {
            return Kernels.multiplyRows(
                a, b, into: result, stride: stride, rows: rows, inner: inner, columns: columns,
                scale: scale, adding: adding)
        }
        withRounded(a, rows: rows, columns: inner) { a in
            withRounded(
                b, rows: b.isTransposed ? columns : inner, columns: b.isTransposed ? inner : columns
            ) { b in
                multiplyRounded(
                    a, b, into: result, stride: stride, rows: rows, inner: inner, columns: columns,
                    scale: scale, keep: adding ? 1 : 0)
            }
        }
    }
}

/// Lends a rounded copy of an operand of that many stored rows and columns.
private func withRounded(
    _ operand: MatrixOperand, rows: Int, columns: Int, _ body: (RoundedOperand) -> Void
) {
    withRoundedScratch(rows * columns) { bits in
        for row in 0..<rows {
            BFloat16.round(
                UnsafeBufferPointer(start: operand.start + row * operand.stride, count: columns),
                into: UnsafeMutableBufferPointer(
                    rebasing: bits[row * columns..<(row + 1) * columns]))
        }
        guard let first = bits.baseAddress else { return }
        body(RoundedOperand(first, stride: columns, transposed: operand.isTransposed))
    }
}
