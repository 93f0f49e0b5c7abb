import BlockFormats
import Kernels

extension GPTQ {
    /// `quantize` for grids of vectors.
    func quantize(
        _ weights: Matrix, to grid: CodebookGrid, hessian: Hessian, workers: Workers
    ) throws(QuantizationError) -> QuantizedMatrix {
        guard hessian.columns == weights.columns else {
            throw .widthMismatch(columns: weights.columns, statistics: hessian.columns)
        }
        let builder = try CodebookMatrixBuilder(
            grid, rows: weights.rows, columns: weights.columns)
        guard hessian.factor != nil, let plan = CodebookPlan(hessian, order: hessian.order) else {
            return try roundToNearest(
                weights, to: .block(grid.encoding), hessian: hessian, workers: workers)
        }
        let tally = ErrorTally(tileCount: Tile.count(rows: weights.rows))
        try workers.forEach(tally.tileCount) { index throws(QuantizationError) in
            let rows = Tile.rows(index, of: weights.rows)
            let pass = CodebookGPTQTile(
                target: try Tile.gather(rows, of: weights), rowCount: rows.count, grid: grid,
                plan: plan)
            tally[index] = pass.run(self)
            for (lane, row) in rows.enumerated() {
                for block in 0..<builder.blockCount {
                    let column = builder.columns(ofBlock: block).lowerBound
                    builder.store(pass.tile[lane, column: column], row: row, index: block)
                }
            }
        }
        let total = tally.total
        return builder.finish(
            QuantizationReport(
                relativeError: total.relative,
                relativeErrorOfRoundingToNearest: total.relativeNearest,
                squaredOutput: total.reference, deadColumnCount: hessian.deadColumns.count,
                dampingFraction: hessian.dampingFraction))
    }
}
