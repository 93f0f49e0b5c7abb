/// Adds Σ factor²·x·xᵀ over the rows x to `gram`, of which only the blocks on and below the diagonal are
/// kept up to date; `mirrorGram` completes it.
///
/// A Hessian is symmetric, so computing the lower blocks alone saves almost half of the work. Blocks
/// are the work items: each is summed by one thread, whatever the number of threads. The rows are first
/// copied into panels, one for each block of columns; read in place, their long stride would cost a
/// quarter of the speed.
///
/// - Parameters:
///   - x: (rows, columns), row-major without gaps.
///   - factors: what each row is multiplied by first.
///   - gram: (columns, columns).
///   - panels: to copy into, of as many columns; who sums often keeps them.
///   - workers: the threads to sum on.
package func accumulateGram(
    of x: UnsafeBufferPointer<Float>, factors: [Float], into gram: Matrix, panels: GramPanels,
    workers: Workers
) {
    let columns = gram.columns
    precondition(gram.rows == columns && panels.columns == columns)
    precondition(x.count == factors.count * columns)
    let width = GramPanels.width
    let blockCount = (columns + width - 1) / width
    for start in stride(from: 0, to: factors.count, by: GramPanels.rowsPerChunk) {
        let rows = start..<min(start + GramPanels.rowsPerChunk, factors.count)
        panels.load(x, rows: rows, factors: factors, workers: workers)
        workers.forEach(blockCount * (blockCount + 1) / 2) { item in
            var (blockRow, before) = (0, 0)
            while before + blockRow + 1 <= item {
                before += blockRow + 1
                blockRow += 1
            }
            let blockColumn = item - before
            panels.addProduct(
                of: blockRow, and: blockColumn, rows: rows.count,
                to: gram.pointer(toRow: blockRow * width, column: blockColumn * width))
        }
    }
}

/// Copies what is below the diagonal to above it, so that the matrix is symmetric to the bit.
package func mirrorGram(_ gram: Matrix, workers: Workers) {
    let order = gram.rows
    // What is written to stays at hand: a few lines of each of some rows.
    workers.forEachRange(of: order, length: 64) { above in
        for column in above.lowerBound..<order {
            let source = gram.row(column)
            for row in above.lowerBound..<min(column, above.upperBound) {
                gram[row, column] = source[row]
            }
        }
    }
}

/// Some rows of a tall matrix, its columns in blocks that lie one after the other.
package struct GramPanels {
    /// Columns of a block.
    fileprivate static let width = 192
    /// Rows that are summed at a time: a panel of them fits a second-level cache.
    fileprivate static let rowsPerChunk = 512

    /// (block × row, column of the block); numbers of 16 bits take the first half of a row.
    private let storage: Matrix
    fileprivate let columns: Int
    private let isRounded: Bool

    /// - Parameters:
    ///   - columns: of the rows to be summed over.
    ///   - isRounded: whether what is multiplied is rounded to bfloat16 first.
    package init(columns: Int, isRounded: Bool = false) {
        let blockCount = (columns + GramPanels.width - 1) / GramPanels.width
        (self.columns, self.isRounded) = (columns, isRounded)
        storage = Matrix(rows: blockCount * GramPanels.rowsPerChunk, columns: GramPanels.width)
    }

    fileprivate func load(
        _ x: UnsafeBufferPointer<Float>, rows: Range<Int>, factors: [Float], workers: Workers
    ) {
        guard let base = x.baseAddress else { return }
        nonisolated(unsafe) let source = base
        workers.forEachRange(of: rows.count, length: 64) { range in
            for row in range {
                let factor = factors[rows.lowerBound + row]
                let from = source + (rows.lowerBound + row) * columns
                for first in stride(from: 0, to: columns, by: GramPanels.width) {
                    store(
                        from + first, times: factor, count: min(GramPanels.width, columns - first),
                        at: start(of: first / GramPanels.width) + row * GramPanels.width)
                }
            }
        }
    }

    private func store(
        _ x: UnsafePointer<Float>, times factor: Float, count: Int,
        at target: UnsafeMutablePointer<Float>
    ) {
        guard isRounded else {
            for column in 0..<count { target[column] = x[column] * factor }
            return
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scaled in
            for column in 0..<count { scaled[column] = x[column] * factor }
            BFloat16.round(
                UnsafeBufferPointer(scaled),
                into: UnsafeMutableBufferPointer(start: bits(target), count: count))
        }
    }

    /// target += aᵀ · b for two blocks of columns a and b; of a block with itself little more than the half on and
    /// below the diagonal.
    fileprivate func addProduct(
        of first: Int, and second: Int, rows: Int, to target: UnsafeMutablePointer<Float>
    ) {
        let height = min(GramPanels.width, columns - first * GramPanels.width)
        guard first == second else {
            return addProduct(of: first, 0..<height, and: second, rows: rows, to: target)
        }
        for part in (0..<height).cut(by: GramPanels.width / 2) {
            addProduct(of: first, part, and: second, rows: rows, to: target)
        }
    }

    private func addProduct(
        of first: Int, _ part: Range<Int>, and second: Int, rows: Int,
        to target: UnsafeMutablePointer<Float>
    ) {
        let (a, b) = (start(of: first), start(of: second))
        let (width, stride) = (GramPanels.width, columns)
        let length = first == second ? part.upperBound : width
        let result = target + part.lowerBound * stride
        guard isRounded else {
            return multiply(
                MatrixOperand(a + part.lowerBound, stride: width, transposed: true),
                MatrixOperand(b, stride: width), into: result, stride: stride,
                rows: part.count, inner: rows, columns: length, keep: 1)
        }
        multiplyRounded(
            RoundedOperand(bits(a) + part.lowerBound, stride: 2 * width, transposed: true),
            RoundedOperand(bits(b), stride: 2 * width),
            into: result, stride: stride, rows: part.count, inner: rows, columns: length, keep: 1)
    }

    private func bits(_ start: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(start).assumingMemoryBound(to: UInt16.self)
    }

    private func start(of block: Int) -> UnsafeMutablePointer<Float> {
        storage.pointer(toRow: block * GramPanels.rowsPerChunk)
    }
}
