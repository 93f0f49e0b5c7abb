import BlockFormats
import Kernels

extension GPTQTile {
    /// Rounds all columns in the Hessian's order, with error feedback.
    ///
    /// - Parameters:
    ///   - nearest: whose scales are used where they have to be known beforehand: in any order
    ///     other than the natural one, in which a block's columns do not follow each other.
    ///   - factor: the `factor` of the Hessian, in its order.
    ///   - batchSize: columns corrected one at a time before the rest catch up. Speed only.
    ///   - fittingBlocks: whether, in the natural order, each block is fitted when it is reached.
    func feedBack(
        startingFrom nearest: GridTile, factor: Matrix, batchSize: Int, fittingBlocks: Bool = true
    ) {
        let order = hessian.order
        let isNatural = fittingBlocks && order.elementsEqual(0..<columns)
        if !isNatural {
            for (mine, theirs) in [
                (tile.scales, nearest.scales), (tile.minimums, nearest.minimums),
                (tile.inverseScales, nearest.inverseScales), (tile.units, nearest.units),
                (tile.minimumUnits, nearest.minimumUnits),
            ] {
                _ = mine.elements.update(fromContentsOf: theirs.elements)
            }
        }
        // In the natural order a block is fitted when it is reached: none of its columns may then
        // miss a batch's correction.
        let batchSize = min(isNatural ? wholeGroups(batchSize) : max(1, batchSize), columns)

        // The weights still to be rounded, corrected for those that are: (columns in order, lanes).
        let work = Matrix(rows: columns, columns: Tile.lanes)
        for (place, column) in order.enumerated() {
            work.lanes(place).copyLanes(target.lanes(column))
        }
        let errors = Matrix(rows: batchSize, columns: Tile.lanes)
        for start in stride(from: 0, to: columns, by: batchSize) {
            let batch = start..<min(start + batchSize, columns)
            for place in batch {
                let column = order[place]
                if isNatural, column.isMultiple(of: groupSize) { fitBlock(at: column, work: work) }
                let (weight, error) = (work.lanes(place), errors.lanes(place - start))
                tile.round(column: column, values: weight, by: rounding, into: error)
                let rate = 1 / factor[place, place]
                for lane in 0..<Tile.lanes { error[lane] = (weight[lane] - error[lane]) * rate }
                let later = place + 1
                guard later < batch.upperBound else { continue }
                work.lanes(later).addProducts(
                    factor.pointer(toRow: later, column: place), stride: columns, sign: -1,
                    of: error, rows: batch.upperBound - later)
            }
            guard batch.upperBound < columns else { break }
            multiply(
                MatrixOperand(
                    factor.pointer(toRow: batch.upperBound, column: start), stride: columns),
                MatrixOperand(errors.lanes(0), stride: Tile.lanes),
                into: work.lanes(batch.upperBound), stride: Tile.lanes,
                rows: columns - batch.upperBound, inner: batch.count, columns: Tile.lanes,
                scale: -1, keep: 1)
        }
    }

    /// A number of whole groups with about `batchSize` columns, such that each super-block starts
    /// a batch or lies within one.
    func wholeGroups(_ batchSize: Int) -> Int {
        let perSuperBlock = tile.blocksPerSuperBlock
        var groups = max(1, batchSize / groupSize)
        if groups > perSuperBlock { groups -= groups % perSuperBlock }
        while groups < perSuperBlock, !perSuperBlock.isMultiple(of: groups) { groups -= 1 }
        return groups * groupSize
    }

    /// Fits the block that starts at a column to the corrected weights; first of all the units of
    /// its super-block, if it is the first one.
    private func fitBlock(at column: Int, work: Matrix) {
        let block = column / groupSize
        let (superBlock, part) = block.quotientAndRemainder(dividingBy: tile.blocksPerSuperBlock)
        if part == 0 {
            let columns = tile.columns(ofSuperBlock: superBlock)
            search.fit(
                superBlock, of: tile, to: work.lanes(columns.lowerBound),
                importance: importance[columns])
        } else {
            let columns = tile.columns(ofBlock: block)
            search.fit(
                block: block, of: tile, to: work.lanes(columns.lowerBound),
                importance: importance[columns])
        }
    }
}
