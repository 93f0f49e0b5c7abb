import BlockFormats
import Kernels

extension GPTQTile {
    /// Moves a block's scale and minimum to where the error is smallest, all codes being fixed.
    ///
    /// - Parameters:
    ///   - block: the block's place among the tile's.
    ///   - batch: columns that include the block's; `gradient` follows the move in these.
    ///   - changes: of the weights in the batch, to which the moves are added: (batch, lanes).
    func moveScale(ofBlock block: Int, batch: Range<Int>, changes: Matrix) {
        let members = tile.columns(ofBlock: block)
        // H·l and H·1, l being the block's levels: (batch, lanes) and (batch).
        let byLevels = Matrix(rows: batch.count, columns: Tile.lanes)
        var byOnes = [Float](repeating: 0, count: batch.count)
        for (place, row) in batch.enumerated() {
            let hessianRow = hessian.damped.pointer(toRow: row)
            for column in members { byOnes[place] += hessianRow[column] }
        }
        for column in members {
            // H is symmetric: its row is its column.
            byLevels.lanes(0).addProducts(
                hessian.damped.pointer(toRow: column, column: batch.lowerBound), sign: 1,
                of: tile.levels.lanes(column), rows: batch.count)
        }
        let error = BlockError()
        for column in members {
            let place = column - batch.lowerBound
            error.add(
                levels: tile.levels.lanes(column), gradient: gradient.lanes(column),
                byLevels: byLevels.lanes(place), byOnes: byOnes[place])
        }
        let moves = Matrix(rows: 2, columns: Tile.lanes)
        let (scaleMove, minimumMove) = (moves.lanes(0), moves.lanes(1))
        let (scale, minimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
        for lane in 0..<Tile.lanes {
            let stored = (scale: scale[lane], minimum: minimum[lane])
            let better = error.improve(stored, block: block, lane: lane, of: tile)
            scaleMove[lane] = better.scale - stored.scale
            minimumMove[lane] = better.minimum - stored.minimum
            (scale[lane], minimum[lane]) = better
        }
        tile.setInverses(ofBlock: block)

        for (place, row) in batch.enumerated() {
            let (slope, product, ones) = (gradient.lanes(row), byLevels.lanes(place), byOnes[place])
            for lane in 0..<Tile.lanes {
                slope[lane] -= product[lane] * scaleMove[lane] + ones * minimumMove[lane]
            }
        }
        for column in members {
            let change = changes.lanes(column - batch.lowerBound)
            let level = tile.levels.lanes(column)
            for lane in 0..<Tile.lanes {
                change[lane] += scaleMove[lane] * level[lane] + minimumMove[lane]
            }
        }
    }
}

/// How a row's error changes when the scale of one block moves by s and its minimum by m:
///
///     s²·lᵀHl + 2·s·m·lᵀH1 + m²·1ᵀH1 − 2·s·lᵀg − 2·m·1ᵀg
///
/// with l the block's levels and g its part of H·(target − weights); one such function per lane.
private struct BlockError {
    private let sums = Matrix(rows: 5, columns: Tile.lanes)

    func add(
        levels: UnsafePointer<Float>, gradient: UnsafePointer<Float>,
        byLevels: UnsafePointer<Float>, byOnes: Float
    ) {
        let (ll, lo, oo) = (sums.lanes(0), sums.lanes(1), sums.lanes(2))
        let (lg, og) = (sums.lanes(3), sums.lanes(4))
        for lane in 0..<Tile.lanes {
            ll[lane] += levels[lane] * byLevels[lane]
            lo[lane] += byLevels[lane]
            oo[lane] += byOnes
            lg[lane] += levels[lane] * gradient[lane]
            og[lane] += gradient[lane]
        }
    }

    /// The best scale and minimum that a file can hold, as far as they are known in closed form;
    /// the present ones where nothing improves on them.
    func improve(
        _ stored: (scale: Float, minimum: Float), block: Int, lane: Int, of tile: GridTile
    ) -> (scale: Float, minimum: Float) {
        let (ll, lo, oo) = (sums[0, lane], sums[1, lane], sums[2, lane])
        let (lg, og) = (sums[3, lane], sums[4, lane])
        var best = stored
        var bestChange: Float = 0
        func offer(_ s: Float, _ m: Float) {
            let moved = tile.representable(
                scale: stored.scale + s, minimum: stored.minimum + m, block: block, lane: lane)
            let (s, m) = (moved.scale - stored.scale, moved.minimum - stored.minimum)
            let change = s * (s * ll + 2 * m * lo - 2 * lg) + m * (m * oo - 2 * og)
            if change < bestChange { (best, bestChange) = (moved, change) }
        }
        guard tile.grid.hasMinimum else {
            if ll > 0 { offer(lg / ll, 0) }
            return best
        }
        if tile.grid.subBlocks != nil {
            // A minimum that has few codes is rarely where it should be: for each scale the best.
            let unit = tile.units[block / tile.blocksPerSuperBlock, lane]
            for steps in -2...2 {
                let s = Float(steps) * unit
                offer(s, (og - s * lo) / oo)
            }
            return best
        }
        let determinant = ll * oo - lo * lo
        if determinant > 1e-4 * ll * oo {
            offer((oo * lg - lo * og) / determinant, (ll * og - lo * lg) / determinant)
        }
        // Where the minimum is stored as a whole number of scales, it rarely moves as asked. Then
        // the scale alone may move, and the minimum in proportion.
        if stored.scale != 0 {
            let ratio = stored.minimum / stored.scale
            let square = ll + ratio * (2 * lo + ratio * oo)
            if square > 0 {
                let s = (lg + ratio * og) / square
                offer(s, ratio * s)
            }
        }
        return best
    }
}
