import CKernels
import COneDNN

/// Numbers as the upper halves of their bits, bfloat16: eight bits of precision.
package enum BFloat16 {
    /// Rounds to nearest, ties to even; `roundedBits` is the definition, to the bit.
    package static func round(
        _ x: UnsafeBufferPointer<Float>, into bits: UnsafeMutableBufferPointer<UInt16>
    ) {
        precondition(x.count == bits.count)
        guard let source = x.baseAddress, let target = bits.baseAddress else { return }
        detent_f32_to_bf16(source, target, x.count)
    }

    /// A NaN stays one (rounding could carry it to infinity) and becomes quiet.
    @inlinable
    package static func roundedBits(_ x: Float) -> UInt16 {
        let bits = x.bitPattern
        let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
        let rounded = bits &+ 0x7FFF &+ (bits >> 16 & 1)
        return UInt16(truncatingIfNeeded: (isNaN ? bits | 0x0040_0000 : rounded) >> 16)
    }

    /// Whether oneDNN multiplies such numbers on this processor. It does with AVX-512, at twice the speed of
    /// floats where there are instructions for them, and refuses elsewhere.
    package static let isSupported: Bool = {
        var (one, product): (UInt16, Float) = (0x3F80, 0)
        let name = CChar(UInt8(ascii: "N"))
        return dnnl_gemm_bf16bf16f32(name, name, 1, 1, 1, 1, &one, 1, &one, 1, 0, &product, 1)
            == dnnl_success
    }()
}

/// One operand of a product of such numbers; `MatrixOperand` says what its parts are.
package struct RoundedOperand {
    let start: UnsafePointer<UInt16>
    let stride: Int
    let isTransposed: Bool

    package init(_ start: UnsafePointer<UInt16>, stride: Int, transposed: Bool = false) {
        (self.start, self.stride, isTransposed) = (start, stride, transposed)
    }

    /// The same numbers as floats, for a matrix of that many stored rows and columns.
    fileprivate func widened(rows: Int, columns: Int) -> Matrix {
        let matrix = Matrix(rows: rows, columns: columns)
        for row in 0..<rows {
            for column in 0..<columns {
                let bits = UInt32(start[row * stride + column]) << 16
                matrix[row, column] = Float(bitPattern: bits)
            }
        }
        return matrix
    }
}

/// Rows of floats, rounded to such numbers.
package final class RoundedRows: @unchecked Sendable {
    private let bits: UnsafeMutablePointer<UInt16>
    private let columns: Int

    /// - Parameters:
    ///   - x: (count, columns), row-major without gaps.
    ///   - count: rows.
    ///   - columns: of each row.
    ///   - workers: the threads to round on.
    package init(_ x: UnsafePointer<Float>, count: Int, columns: Int, _ workers: Workers) {
        self.columns = columns
        bits = .allocate(capacity: count * columns)
        nonisolated(unsafe) let (source, target) = (x, bits)
        workers.forEachRange(of: count * columns, length: 1 << 16) { range in
            BFloat16.round(
                UnsafeBufferPointer(start: source + range.lowerBound, count: range.count),
                into: UnsafeMutableBufferPointer(
                    start: target + range.lowerBound, count: range.count))
        }
    }

    deinit { bits.deallocate() }

    /// All rows; they must outlive the operand.
    package var operand: RoundedOperand { RoundedOperand(bits, stride: columns) }

    /// Some columns, from one on, as rows.
    package func transposed(column: Int) -> RoundedOperand {
        RoundedOperand(bits + column, stride: columns, transposed: true)
    }
}

/// result (rows, columns) = scale · a · b + keep · result, as `multiply`, of numbers rounded to bfloat16.
///
/// Sums are in 32-bit floating point, in an order that depends on the shape alone. Where oneDNN has no such
/// product, floats of the same values are multiplied.
package func multiplyRounded(
    _ a: RoundedOperand, _ b: RoundedOperand, into result: UnsafeMutablePointer<Float>, stride: Int,
    rows: Int, inner: Int, columns: Int, scale: Float = 1, keep: Float = 0
) {
    guard rows > 0, columns > 0, inner > 0 else { return }
    guard BFloat16.isSupported else {
        let first =
            a.isTransposed
            ? a.widened(rows: inner, columns: rows) : a.widened(rows: rows, columns: inner)
        let second =
            b.isTransposed
            ? b.widened(rows: columns, columns: inner) : b.widened(rows: inner, columns: columns)
        return multiply(
            MatrixOperand(
                first.pointer(toRow: 0), stride: first.columns, transposed: a.isTransposed),
            MatrixOperand(
                second.pointer(toRow: 0), stride: second.columns, transposed: b.isTransposed),
            into: result, stride: stride, rows: rows, inner: inner, columns: columns, scale: scale,
            keep: keep)
    }
    let status = dnnl_gemm_bf16bf16f32(
        transposition(a.isTransposed), transposition(b.isTransposed),
        dnnl_dim_t(rows), dnnl_dim_t(columns), dnnl_dim_t(inner), scale,
        a.start, dnnl_dim_t(a.stride), b.start, dnnl_dim_t(b.stride), keep,
        result, dnnl_dim_t(stride))
    precondition(status == dnnl_success, "oneDNN refused a product (status \(status.rawValue))")
}
