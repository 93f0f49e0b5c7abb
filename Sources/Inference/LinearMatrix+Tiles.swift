import Kernels

/// Rows of weights in the form that products take them in. A few rows at a time become floats, which do not
/// leave the processor's cache before they are where they should be.
extension LinearMatrix {
    private static let rowsAtOnce = 16

    /// Decodes some rows, a few at a time.
    ///
    /// - Parameters:
    ///   - rows: the rows.
    ///   - body: gets floats, (count, columns), the first one's place among the rows, and their count.
    /// - Throws: what reading the weights throws.
    private func decodeInTurns(
        _ rows: Range<Int>, _ body: (UnsafeMutableBufferPointer<Float>, Int, Int) -> Void
    ) throws {
        try withScratch(min(LinearMatrix.rowsAtOnce, rows.count) * columns) { floats in
            for start in stride(
                from: rows.lowerBound, to: rows.upperBound, by: LinearMatrix.rowsAtOnce)
            {
                let some = start..<min(start + LinearMatrix.rowsAtOnce, rows.upperBound)
                let decoded = UnsafeMutableBufferPointer(
                    rebasing: floats[..<(some.count * columns)])
                try decode(some, into: decoded)
                body(decoded, start - rows.lowerBound, some.count)
            }
        }
    }

    /// Lends some rows, rounded, (rows, columns).
    func withRounded(_ rows: Range<Int>, _ body: (RoundedOperand) -> Void) throws {
        try withRoundedScratch(rows.count * columns) { bits in
            try decodeInTurns(rows) { floats, place, _ in
                BFloat16.round(
                    UnsafeBufferPointer(floats),
                    into: UnsafeMutableBufferPointer(
                        rebasing: bits[place * columns..<place * columns + floats.count]))
            }
            guard let first = bits.baseAddress else { return }
            body(RoundedOperand(first, stride: columns, transposed: true))
        }
    }

    /// Lends some rows as columns, (columns, rows): oneDNN's product with them in that order is the faster one, by
    /// up to a tenth, and at some widths by half.
    func withTransposed(_ rows: Range<Int>, _ body: (MatrixOperand) -> Void) throws {
        let stride = LinearMatrix.transposedStride(of: rows.count)
        try withScratch(stride * columns) { weights in
            guard let first = weights.baseAddress else { return }
            try decodeInTurns(rows) { floats, place, count in
                guard let source = floats.baseAddress else { return }
                transpose(
                    source, stride: columns, rows: count, columns: columns, into: first + place,
                    stride: stride)
            }
            body(MatrixOperand(first, stride: stride))
        }
    }

    /// Whole cache lines. Where columns begin a large power of two apart, they share few places of a cache.
    private static func transposedStride(of rows: Int) -> Int {
        let whole = (rows + 15) / 16 * 16
        return whole.isMultiple(of: 256) ? whole + 16 : whole
    }
}
