import BlockFormats
import Kernels

extension GPTQTile {
    /// One pass of coordinate descent: each code in turn becomes the best one, all others being
    /// fixed.
    ///
    /// With g = H·(target − tile), the error as a function of one weight is smallest at weight + g
    /// / H[column, column]; the nearest level to that is the best code. `gradient` follows every
    /// change, within a batch of columns at once, outside of it in one product.
    func descend(batchSize: Int, movingScales: Bool) {
        // Scales move where a batch has whole blocks; those of very long blocks are left to the
        // refit.
        let movingScales = movingScales && groupSize <= 256
        let batchSize = min(movingScales ? wholeGroups(batchSize) : max(1, batchSize), columns)
        let changes = Matrix(rows: batchSize, columns: Tile.lanes)
        for start in stride(from: 0, to: columns, by: batchSize) {
            let batch = start..<min(start + batchSize, columns)
            for column in batch {
                descend(column: column, batch: batch, change: changes.lanes(column - start))
                guard movingScales else { continue }
                let block = column / groupSize
                if column == tile.columns(ofBlock: block).upperBound - 1 {
                    moveScale(ofBlock: block, batch: batch, changes: changes)
                }
            }
            for rest in [0..<start, batch.upperBound..<columns] {
                follow(changes.lanes(0), of: batch, in: rest)
            }
        }
    }

    @inline(__always)
    private func descend(column: Int, batch: Range<Int>, change: Lanes) {
        let block = column / groupSize
        let (scale, minimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
        let (level, slope) = (tile.levels.lanes(column), gradient.lanes(column))
        let hessianRow = hessian.damped.pointer(toRow: column)
        let reach = 1 / hessianRow[column]
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * Tile.lanes) { scratch in
            guard let best = scratch.baseAddress else { return }
            let rounded = best + Tile.lanes
            for lane in 0..<Tile.lanes {
                let weight = scale[lane] * level[lane] + minimum[lane]
                change[lane] = weight
                best[lane] = weight + slope[lane] * reach
            }
            tile.round(column: column, values: best, by: rounding, into: rounded)
            for lane in 0..<Tile.lanes { change[lane] = rounded[lane] - change[lane] }
        }
        // H is symmetric: its row is its column, and lies in one piece.
        gradient.lanes(batch.lowerBound).addProducts(
            hessianRow + batch.lowerBound, sign: -1, of: change, rows: batch.count)
    }
}
