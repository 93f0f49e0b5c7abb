import BlockFormats
import Kernels

extension CodebookGPTQTile {
    /// One pass of coordinate descent: the vectors and the scale of each run in turn become the best
    /// ones found, all others being fixed.
    ///
    /// `gradient` follows every change, within a batch of columns at once, outside of it in one
    /// product.
    func descend(batchSize: Int, movingScales: Bool) {
        let runWidth = grid.weightsPerScale
        let batchSize = min(max(1, batchSize / runWidth) * runWidth, columns)
        let changes = Matrix(rows: batchSize, columns: Tile.lanes)
        let run = CodebookRun(grid, choice)
        for start in stride(from: 0, to: columns, by: batchSize) {
            let batch = start..<min(start + batchSize, columns)
            changes.lanes(0).update(repeating: 0, count: batchSize * Tile.lanes)
            for column in stride(from: start, to: batch.upperBound, by: runWidth) {
                run.setHessian(plan, column: column)
                for row in 0..<tile.rowCount {
                    improve(run, row: row, column: column, movingScales, changes, start)
                }
                for changed in column..<column + runWidth {
                    // H is symmetric: its row is its column, and lies in one piece.
                    gradient.lanes(start).addProducts(
                        hessian.damped.pointer(toRow: changed, column: start), sign: -1,
                        of: changes.lanes(changed - start), rows: batch.count)
                }
            }
            follow(changes, from: batch, in: [0..<start, batch.upperBound..<columns])
        }
    }

    private func improve(
        _ run: CodebookRun, row: Int, column: Int, _ movingScales: Bool, _ changes: Matrix,
        _ start: Int
    ) {
        guard tile.scale(row, column: column) > 0 else { return }
        for i in 0..<grid.weightsPerScale {
            run.weights[i] = tile.weights.lanes(column + i)[row]
            run.gradient[i] = gradient.lanes(column + i)[row]
        }
        guard run.improve(&tile[row, column: column], column: column, movingScale: movingScales)
        else { return }
        for i in 0..<grid.weightsPerScale {
            changes.lanes(column + i - start)[row] = run.reached[i] - run.weights[i]
            tile.weights.lanes(column + i)[row] = run.reached[i]
        }
    }

    /// Takes changes of the weights in a batch over into the gradient of other columns.
    private func follow(_ changes: Matrix, from batch: Range<Int>, in others: [Range<Int>]) {
        for rest in others where !rest.isEmpty {
            multiply(
                MatrixOperand(
                    hessian.damped.pointer(toRow: rest.lowerBound, column: batch.lowerBound),
                    stride: columns),
                MatrixOperand(changes.lanes(0), stride: Tile.lanes),
                into: gradient.lanes(rest.lowerBound), stride: Tile.lanes, rows: rest.count,
                inner: batch.count, columns: Tile.lanes, scale: -1, keep: 1)
        }
    }

    /// Moves the unit of each super-block in turn to where the error is smallest, all else being
    /// fixed.
    func refitUnits() {
        let width = CodebookGrid.weightsPerBlock
        let changes = Matrix(rows: width, columns: Tile.lanes)
        let product = Matrix(rows: width, columns: Tile.lanes)
        for start in stride(from: 0, to: columns, by: width) {
            let members = start..<start + width
            multiply(
                MatrixOperand(hessian.damped.pointer(toRow: start, column: start), stride: columns),
                MatrixOperand(tile.weights.lanes(start), stride: Tile.lanes),
                into: product.lanes(0), stride: Tile.lanes, rows: width, inner: width,
                columns: Tile.lanes)
            var (squares, slopes) = (
                [Double](repeating: 0, count: Tile.lanes), [Double](repeating: 0, count: Tile.lanes)
            )
            for i in 0..<width {
                let (weight, by) = (tile.weights.lanes(start + i), product.lanes(i))
                let slope = gradient.lanes(start + i)
                for lane in 0..<Tile.lanes {
                    squares[lane] += Double(weight[lane] * by[lane])
                    slopes[lane] += Double(weight[lane] * slope[lane])
                }
            }
            changes.lanes(0).update(repeating: 0, count: width * Tile.lanes)
            for row in 0..<tile.rowCount where squares[row] > 0 {
                let unit = tile[row, column: start].unit
                let moved = grid.representable(unit: unit * Float(1 + slopes[row] / squares[row]))
                // Relative to the unit, the weights move by this.
                let move = Double(moved / unit) - 1
                guard moved > 0, move * (move * squares[row] - 2 * slopes[row]) < 0 else {
                    continue
                }
                tile[row, column: start].unit = moved
                for i in 0..<width {
                    changes.lanes(i)[row] = -tile.weights.lanes(start + i)[row]
                }
                tile.decode(row, from: start)
                for i in 0..<width {
                    changes.lanes(i)[row] += tile.weights.lanes(start + i)[row]
                }
            }
            follow(changes, from: members, in: [0..<columns])
        }
    }
}
