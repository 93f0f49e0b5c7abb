import Kernels

extension GPTQTile {
    /// One pass of coordinate descent: each code in turn becomes the best one, all others being fixed.
    ///
    /// With g = H·(target − tile), the error as a function of one weight is smallest at
    /// weight + g / H[column, column]; the nearest level to that is the best code. `gradient` follows
    /// every change, within a batch of columns at once, outside of it in one product.
    func descend(batchSize: Int, movingScales: Bool) {
        let batchSize = wholeGroups(batchSize)
        let changes = Matrix(rows: batchSize, columns: Tile.lanes)
        for start in stride(from: 0, to: columns, by: batchSize) {
            let batch = start..<min(start + batchSize, columns)
            for column in batch {
                descend(column: column, batch: batch, change: changes.lanes(column - start))
                guard movingScales, groupSize <= 256 else { continue }
                let block = column / groupSize
                if column == tile.columns(ofBlock: block).upperBound - 1 {
                    moveScales(ofBlock: block, batch: batch, changes: changes)
                }
            }
            for rest in [0..<start, batch.upperBound..<columns] where !rest.isEmpty {
                multiply(
                    MatrixOperand(
                        hessian.damped.pointer(toRow: rest.lowerBound, column: start),
                        stride: columns),
                    MatrixOperand(changes.lanes(0), stride: Tile.lanes),
                    into: gradient.lanes(rest.lowerBound), stride: Tile.lanes, rows: rest.count,
                    inner: batch.count, columns: Tile.lanes, scale: -1, keep: 1)
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
        for other in batch {
            gradient.lanes(other).subtractLanes(hessianRow[other], change)
        }
    }

    /// Moves a block's scale and minimum to where the error is smallest, all codes being fixed.
    ///
    /// Moved by s and m, the block's weights change by s·l + m, l being their levels, and the error by
    /// s²·lᵀHl + 2sm·lᵀH1 + m²·1ᵀH1 − 2s·lᵀg − 2m·1ᵀg. The minimum of that is rounded to what the file can
    /// hold, and taken where it still is an improvement.
    private func moveScales(ofBlock block: Int, batch: Range<Int>, changes: Matrix) {
        let members = tile.columns(ofBlock: block)
        // H·l and H·1, of which the rows in this batch matter here: (batch, lanes) and (batch).
        let byLevels = Matrix(rows: batch.count, columns: Tile.lanes)
        var byOnes = [Float](repeating: 0, count: batch.count)
        for (place, row) in batch.enumerated() {
            let hessianRow = hessian.damped.pointer(toRow: row)
            let out = byLevels.lanes(place)
            for column in members {
                out.subtractLanes(-hessianRow[column], tile.levels.lanes(column))
                byOnes[place] += hessianRow[column]
            }
        }
        let sums = Matrix(rows: 6, columns: Tile.lanes)
        let (levelsLevels, levelsOnes) = (sums.lanes(0), sums.lanes(1))
        let (levelsGradient, onesGradient) = (sums.lanes(2), sums.lanes(3))
        let (scaleMove, minimumMove) = (sums.lanes(4), sums.lanes(5))
        var onesOnes: Float = 0
        for column in members {
            let place = column - batch.lowerBound
            let (level, slope, product) = (
                tile.levels.lanes(column), gradient.lanes(column), byLevels.lanes(place)
            )
            onesOnes += byOnes[place]
            for lane in 0..<Tile.lanes {
                levelsLevels[lane] += level[lane] * product[lane]
                levelsOnes[lane] += product[lane]
                levelsGradient[lane] += level[lane] * slope[lane]
                onesGradient[lane] += slope[lane]
            }
        }
        let (scale, minimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
        let (hasMinimum, grid) = (search.grid.hasMinimum, search.grid)
        for lane in 0..<Tile.lanes {
            let (ll, l1, lg) = (levelsLevels[lane], levelsOnes[lane], levelsGradient[lane])
            var (s, m): (Float, Float) = (0, 0)
            if hasMinimum {
                let determinant = ll * onesOnes - l1 * l1
                guard determinant > 1e-4 * ll * onesOnes else { continue }
                s = (onesOnes * lg - l1 * onesGradient[lane]) / determinant
                m = (ll * onesGradient[lane] - l1 * lg) / determinant
            } else {
                guard ll > 0 else { continue }
                s = lg / ll
            }
            let stored = grid.representable(scale: scale[lane] + s, minimum: minimum[lane] + m)
            (s, m) = (stored.scale - scale[lane], stored.minimum - minimum[lane])
            let quadratic = s * s * ll + 2 * s * m * l1 + m * m * onesOnes
            guard quadratic - 2 * (s * lg + m * onesGradient[lane]) < 0 else { continue }
            (scale[lane], minimum[lane]) = (stored.scale, stored.minimum)
            (scaleMove[lane], minimumMove[lane]) = (s, m)
        }
        tile.setInverses(ofBlock: block)
        for (place, row) in batch.enumerated() {
            let (slope, product, ones) = (gradient.lanes(row), byLevels.lanes(place), byOnes[place])
            for lane in 0..<Tile.lanes {
                slope[lane] -= product[lane] * scaleMove[lane] + ones * minimumMove[lane]
            }
        }
        for column in members {
            let (change, level) = (changes.lanes(column - batch.lowerBound), tile.levels.lanes(column))
            for lane in 0..<Tile.lanes {
                change[lane] += scaleMove[lane] * level[lane] + minimumMove[lane]
            }
        }
    }
}
