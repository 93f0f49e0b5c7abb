import CKernels
import TensorIR

extension RowCodec {
    private typealias Kernel = (
        UnsafeRawPointer?, Int, Int, UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?
    ) -> Void

    /// The kernels cover what models are mostly distributed in.
    private var dotKernel: Kernel? {
        switch encoding {
        case .scalar(.f16): detent_dot_rows_f16
        case .scalar(.bf16): detent_dot_rows_bf16
        case .block(.q8_0): detent_dot_rows_q8_0
        case .block(.q4_0): detent_dot_rows_q4_0
        case .block(.q4_K): detent_dot_rows_q4_K
        case .block(.q6_K): detent_dot_rows_q6_K
        default: nil
        }
    }

    /// Whether `dots` has a kernel for this encoding.
    package var hasDots: Bool { dotKernel != nil }

    /// out[r] = Σ row r [i] · x[i], without writing decoded weights: memory is read once, at a quarter or less of
    /// the bytes that floats have.
    ///
    /// The bits are those of `decode` and `dotReference`.
    ///
    /// - Parameters:
    ///   - bytes: whole rows.
    ///   - x: `columns` numbers.
    ///   - out: a number for each row.
    /// - Precondition: `hasDots`.
    package func dots(
        of bytes: UnsafeRawBufferPointer, with x: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>
    ) {
        guard rowByteCount > 0, let dotKernel else {
            return precondition(rowByteCount == 0, "no kernel for \(encoding)")
        }
        let (rows, rest) = bytes.count.quotientAndRemainder(dividingBy: rowByteCount)
        precondition(rest == 0, "not whole rows")
        dotKernel(bytes.baseAddress, rowByteCount, rows, x, columns, out)
    }
}
