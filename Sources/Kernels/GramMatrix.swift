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
///   - workers: the threads to sum on.
package func accumulateGram(
    of x: UnsafeBufferPointer<Float>, factors: [Float], into gram: Matrix, workers: Workers
) {
    let columns = gram.columns
    precondition(gram.rows == columns && x.count == factors.count * columns)
    let width = GramPanels.width
    let blockCount = (columns + width - 1) / width
    let panels = GramPanels(columns: columns)
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
            multiply(
                panels.operand(blockRow, transposed: true), panels.operand(blockColumn),
                into: gram.pointer(toRow: blockRow * width, column: blockColumn * width),
                stride: columns, rows: min(width, columns - blockRow * width), inner: rows.count,
                columns: min(width, columns - blockColumn * width), keep: 1)
        }
    }
}

/// Copies what is below the diagonal to above it, so that the matrix is symmetric to the bit.
package func mirrorGram(_ gram: Matrix) {
    for row in 0..<gram.rows {
        for column in 0..<row { gram[column, row] = gram[row, column] }
    }
}

/// Some rows of a tall matrix, its columns in blocks that lie one after the other.
private struct GramPanels {
    /// Columns of a block.
    static let width = 192
    /// Rows that are summed at a time: a panel of them fits a second-level cache.
    static let rowsPerChunk = 512

    /// (block × row, column of the block)
    private let storage: Matrix
    private let columns: Int

    init(columns: Int) {
        let blockCount = (columns + GramPanels.width - 1) / GramPanels.width
        self.columns = columns
        storage = Matrix(rows: blockCount * GramPanels.rowsPerChunk, columns: GramPanels.width)
    }

    func load(
        _ x: UnsafeBufferPointer<Float>, rows: Range<Int>, factors: [Float], workers: Workers
    ) {
        guard let start = x.baseAddress else { return }
        nonisolated(unsafe) let source = start
        workers.forEachRange(of: rows.count, length: 64) { range in
            for row in range {
                let factor = factors[rows.lowerBound + row]
                let from = source + (rows.lowerBound + row) * columns
                for first in stride(from: 0, to: columns, by: GramPanels.width) {
                    let block = first / GramPanels.width
                    let to = storage.pointer(toRow: block * GramPanels.rowsPerChunk + row)
                    for column in 0..<min(GramPanels.width, columns - first) {
                        to[column] = from[first + column] * factor
                    }
                }
            }
        }
    }

    func operand(_ block: Int, transposed: Bool = false) -> MatrixOperand {
        MatrixOperand(
            storage.pointer(toRow: block * GramPanels.rowsPerChunk), stride: GramPanels.width,
            transposed: transposed)
    }
}
