import Kernels

/// Rows of weights in the form that products with many tokens take them in: rounded, (rows, columns), or as floats
/// turned to (columns, rows), for oneDNN's product with that is the faster one, by up to a tenth, and at some
/// widths by half.
extension LinearMatrix {
    /// Rows that are floats at a time. They do not leave the processor's cache before they are where they should be.
    private static let rowsAtOnce = 16

    /// Lends some rows, rounded.
    func withRounded(_ rows: Range<Int>, _ body: (RoundedOperand) -> Void) throws {
        func lend(_ first: UnsafePointer<UInt16>) {
            body(RoundedOperand(first, stride: columns, transposed: true))
        }
        if let prepared { return lend(rounded(prepared) + rows.lowerBound * columns) }
        try withRoundedScratch(rows.count * columns) { bits in
            guard let first = bits.baseAddress else { return }
            try round(rows, into: first)
            lend(first)
        }
    }

    /// Lends some rows as columns.
    func withTransposed(_ rows: Range<Int>, _ body: (MatrixOperand) -> Void) throws {
        if let prepared {
            let stride = LinearMatrix.transposedStride(of: self.rows)
            return body(MatrixOperand(prepared + rows.lowerBound, stride: stride))
        }
        let stride = LinearMatrix.transposedStride(of: rows.count)
        try withScratch(stride * columns) { weights in
            guard let first = weights.baseAddress else { return }
            try turn(rows, into: first, stride: stride)
            body(MatrixOperand(first, stride: stride))
        }
    }

    private func round(_ rows: Range<Int>, into bits: UnsafeMutablePointer<UInt16>) throws {
        try decodeInTurns(rows) { floats, place, _ in
            BFloat16.round(
                UnsafeBufferPointer(floats),
                into: UnsafeMutableBufferPointer(start: bits + place * columns, count: floats.count)
            )
        }
    }

    private func turn(
        _ rows: Range<Int>, into target: UnsafeMutablePointer<Float>, stride: Int
    ) throws {
        try decodeInTurns(rows) { floats, place, count in
            guard let source = floats.baseAddress else { return }
            transpose(
                source, stride: columns, rows: count, columns: columns, into: target + place,
                stride: stride)
        }
    }

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
            for some in rows.cut(by: LinearMatrix.rowsAtOnce) {
                let decoded = UnsafeMutableBufferPointer(
                    rebasing: floats[..<(some.count * columns)])
                try decode(some, into: decoded)
                body(decoded, some.lowerBound - rows.lowerBound, some.count)
            }
        }
    }

    /// Whole cache lines. Where columns begin a large power of two apart, they share few places of a cache.
    private static func transposedStride(of rows: Int) -> Int {
        let whole = (rows + 15) / 16 * 16
        return whole.isMultiple(of: 256) ? whole + 16 : whole
    }
}

// MARK: All rows

extension LinearMatrix {
    /// Weights that are held decoded at most; 2²⁶ are 256 MiB. Of larger layers each tile is decoded again for so
    /// many tokens that it hardly counts.
    private static let preparedLimit = 1 << 26

    /// Lends matrices whose weights are decoded, all on all threads: for products with so many tokens that each tile
    /// would be decoded several times.
    ///
    /// - Parameters:
    ///   - matrices: those that are not too large together; otherwise they are lent as they are.
    ///   - workers: the threads to decode on.
    ///   - body: gets the same matrices in the same order.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws, and what reading the weights throws.
    static func withPrepared<Result>(
        _ matrices: [LinearMatrix], _ workers: Workers,
        _ body: ([LinearMatrix]) throws -> Result
    ) throws -> Result {
        let counts = matrices.map(\.preparedCount)
        let total = counts.reduce(0, +)
        guard total <= preparedLimit, matrices.contains(where: { $0.prepared == nil }) else {
            return try body(matrices)
        }
        return try withScratch(total) { memory in
            guard var place = memory.baseAddress else { return try body(matrices) }
            var prepared = matrices
            for (index, count) in counts.enumerated() {
                prepared[index].prepared = place
                place += count
            }
            let parts = matrices.enumerated().flatMap { index, matrix in
                (0..<matrix.rows).cut(by: 4 * rowsAtOnce).map { (index, $0) }
            }
            try workers.forEach(parts.count) { [prepared] item in
                try prepared[parts[item].0].prepare(parts[item].1)
            }
            return try body(prepared)
        }
    }

    /// Floats that its prepared weights take the room of.
    private var preparedCount: Int {
        let stride = LinearMatrix.transposedStride(of: rows)
        return precision == .bf16 ? (rows * columns + 31) / 32 * 16 : stride * columns
    }

    private func prepare(_ rows: Range<Int>) throws {
        guard let prepared else { return }
        if precision == .bf16 {
            try round(rows, into: rounded(prepared) + rows.lowerBound * columns)
        } else {
            let stride = LinearMatrix.transposedStride(of: self.rows)
            try turn(rows, into: prepared + rows.lowerBound, stride: stride)
        }
    }

    private func rounded(_ prepared: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(prepared).assumingMemoryBound(to: UInt16.self)
    }
}
