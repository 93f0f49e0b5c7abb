/// Adds xᵀ·x of the given rows to `gram`, of which only the blocks on and below the diagonal are
/// kept up to date; `mirrorGram` completes it.
///
/// A Hessian is symmetric, so computing the lower blocks alone saves almost half of the work. Blocks
/// are the work items: each is summed by one thread, whatever the number of threads.
///
/// - Parameters:
///   - x: (tokens, columns), row-major without gaps.
///   - gram: (columns, columns).
package func accumulateGram(
    of x: UnsafeBufferPointer<Float>, columns: Int, into gram: Matrix, workers: Workers
) {
    precondition(gram.rows == columns && gram.columns == columns && x.count % columns == 0)
    guard let start = x.baseAddress, !x.isEmpty else { return }
    let width = 192
    let blockCount = (columns + width - 1) / width
    let tokens = x.count / columns
    nonisolated(unsafe) let first = start
    workers.forEach(blockCount * (blockCount + 1) / 2) { item in
        var (blockRow, before) = (0, 0)
        while before + blockRow + 1 <= item {
            before += blockRow + 1
            blockRow += 1
        }
        let (rowStart, columnStart) = (blockRow * width, (item - before) * width)
        multiply(
            MatrixOperand(first + rowStart, stride: columns, transposed: true),
            MatrixOperand(first + columnStart, stride: columns),
            into: gram.pointer(toRow: rowStart, column: columnStart), stride: columns,
            rows: min(width, columns - rowStart), inner: tokens,
            columns: min(width, columns - columnStart), keep: 1)
    }
}

/// Copies what is below the diagonal to above it, so that the matrix is symmetric to the bit.
package func mirrorGram(_ gram: Matrix) {
    for row in 0..<gram.rows {
        for column in 0..<row { gram[column, row] = gram[row, column] }
    }
}
