import CKernels
import TensorIR

/// Encoded rows in memory, for products with a few vectors: they are read once, at a quarter or less of the
/// bytes that floats have, and no decoded weight is written.
///
/// Blocks of eight-bit or four-bit codes with a scale are multiplied in integer arithmetic (`BlockFloats`), all others
/// are decoded in registers.
package struct EncodedRows: @unchecked Sendable {
    private enum Kernel {
        case floats(
            @convention(c) (
                UnsafeRawPointer?, Int, Int, UnsafePointer<Float>?, Int,
                UnsafeMutablePointer<Float>?
            ) -> Void)
        case digits(
            @convention(c) (
                UnsafeRawPointer?, Int, Int, UnsafePointer<detent_digit_group>?, Int,
                UnsafeMutablePointer<Float>?
            ) -> Void)

        /// The kernels cover what models are mostly distributed in.
        init?(_ encoding: Encoding) {
            switch encoding {
            case .scalar(.f16): self = .floats(detent_dot_rows_f16)
            case .scalar(.bf16): self = .floats(detent_dot_rows_bf16)
            case .block(.q8_0): self = .digits(detent_digit_dots_q8_0)
            case .block(.q4_0): self = .digits(detent_digit_dots_q4_0)
            case .block(.q4_K): self = .floats(detent_dot_rows_q4_K)
            case .block(.q6_K): self = .floats(detent_dot_rows_q6_K)
            default: return nil
            }
        }
    }

    private let kernel: Kernel
    private let start: UnsafeRawPointer
    private let rowByteCount: Int
    private let columns: Int
    package let count: Int

    /// Nil where there is no kernel for the encoding, and for rows without bytes.
    ///
    /// - Parameters:
    ///   - bytes: whole rows, which live as long as this is used.
    ///   - codec: what they are encoded in.
    package init?(_ bytes: UnsafeRawBufferPointer, in codec: RowCodec) {
        guard let kernel = Kernel(codec.encoding), let start = bytes.baseAddress,
            codec.rowByteCount > 0
        else { return nil }
        let (count, rest) = bytes.count.quotientAndRemainder(dividingBy: codec.rowByteCount)
        precondition(rest == 0, "not whole rows")
        (self.kernel, self.start, self.count) = (kernel, start, count)
        (rowByteCount, columns) = (codec.rowByteCount, codec.columns)
    }

    /// Whether the vectors are needed as `BlockFloats`, too.
    package var usesBlockFloats: Bool {
        if case .digits = kernel { true } else { false }
    }

    /// out[r] = Σ row r [i] · x[i], for r in `rows`, out[0] being that of the first.
    ///
    /// The bits are those of `decode` and `dotReference`, or of `BlockFloats.dotReference`.
    ///
    /// - Parameters:
    ///   - rows: some of the rows.
    ///   - vectors: of as many numbers as a row has columns, as block floats where those are used.
    ///   - vector: which of them.
    ///   - out: a number for each row.
    package func dots(
        of rows: Range<Int>, with vectors: FewVectors, _ vector: Int,
        into out: UnsafeMutablePointer<Float>
    ) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= count)
        precondition(vectors.columns == columns && (0..<vectors.count).contains(vector))
        let start = start + rows.lowerBound * rowByteCount
        switch kernel {
        case .floats(let kernel):
            let x = vectors.floats + vector * columns
            kernel(start, rowByteCount, rows.count, x, columns, out)
        case .digits(let kernel):
            let x = vectors.groups(ofVector: vector)
            kernel(start, rowByteCount, rows.count, x, columns, out)
        }
    }
}

/// Vectors that encoded rows are multiplied with.
package struct FewVectors: @unchecked Sendable {
    package let count: Int
    package let columns: Int
    /// (count, columns)
    fileprivate let floats: UnsafePointer<Float>
    /// (count, columns / 128), rounded up.
    private let groups: UnsafePointer<detent_digit_group>?

    /// Lends vectors for as long as `body` runs.
    ///
    /// - Parameters:
    ///   - floats: (count, columns).
    ///   - columns: at least one; whole blocks where there should be block floats.
    ///   - asBlockFloats: whether the vectors are needed as `BlockFloats`, too.
    ///   - body: gets them.
    package static func with(
        _ floats: UnsafeBufferPointer<Float>, columns: Int, asBlockFloats: Bool,
        _ body: (FewVectors) -> Void
    ) {
        guard let start = floats.baseAddress else { return }
        let count = floats.count / columns
        let groupCount = asBlockFloats ? count * BlockFloats.groupCount(columns) : 0
        let groups = UnsafeMutableRawPointer.allocate(
            byteCount: groupCount * MemoryLayout<detent_digit_group>.stride, alignment: 64
        ).bindMemory(to: detent_digit_group.self, capacity: groupCount)
        defer { groups.deallocate() }
        if asBlockFloats {
            for vector in 0..<count {
                detent_digits(
                    start + vector * columns, columns,
                    groups + vector * BlockFloats.groupCount(columns))
            }
        }
        body(
            FewVectors(
                count: count, columns: columns, floats: start, groups: asBlockFloats ? groups : nil)
        )
    }

    fileprivate func groups(ofVector vector: Int) -> UnsafePointer<detent_digit_group>? {
        groups.map { $0 + vector * BlockFloats.groupCount(columns) }
    }
}
