import BlockFormats
import Kernels
import TensorIR

/// Rounds each weight to the nearest level, after a search for the scales at which that costs
/// least.
package struct RoundToNearest: Sendable {
    package init() {}

    /// Rounds a matrix.
    ///
    /// - Parameters:
    ///   - weights: (rows, columns).
    ///   - encoding: one that `LevelGrid` describes.
    ///   - importance: what an error in each column counts, not negative, as an importance matrix
    ///     says; nil for all alike.
    ///   - workers: the threads to work on; the result does not depend on them.
    /// - Returns: the blocks, their weights, and what the rounding cost.
    /// - Throws: `QuantizationError` for an encoding without a grid, widths that differ, and weights
    ///   that are not finite.
    package func quantize(
        _ weights: Matrix, to encoding: Encoding, importance: [Float]? = nil, workers: Workers
    ) throws(QuantizationError) -> QuantizedMatrix {
        if let grid = CodebookGrid(encoding) {
            return try CodebookRounding(grid: grid).quantize(
                weights, importance: importance, workers: workers)
        }
        guard let grid = LevelGrid(encoding) else {
            throw .unsupportedEncoding(encoding.description)
        }
        if let importance, importance.count != weights.columns {
            throw .widthMismatch(columns: weights.columns, statistics: importance.count)
        }
        let importance = importance ?? [Float](repeating: 1, count: weights.columns)
        let builder = try QuantizedMatrixBuilder(
            grid, rows: weights.rows, columns: weights.columns)
        let tally = ErrorTally(tileCount: Tile.count(rows: weights.rows))
        try workers.forEach(tally.tileCount) { index throws(QuantizationError) in
            let rows = Tile.rows(index, of: weights.rows)
            let target = try Tile.gather(rows, of: weights)
            let tile = GridTile(columns: weights.columns, grid: grid)
            round(target, importance: importance, search: TileSearch(grid), into: tile)
            builder.store(tile, rows: rows)
            tally[index] = weightedError(target, tile, importance)
        }
        let total = tally.total
        return builder.finish(
            QuantizationReport(
                relativeError: total.relative, relativeErrorOfRoundingToNearest: total.relative,
                squaredOutput: total.reference))
    }

    /// Fits every block of a tile, and rounds its weights.
    func round(_ target: Matrix, importance: [Float], search: TileSearch, into tile: GridTile) {
        search.fit(tile, to: target, importance: importance)
        let rounded = Matrix(rows: 1, columns: Tile.lanes)
        for column in 0..<target.rows {
            tile.round(
                column: column, values: target.lanes(column), by: search.rounding,
                into: rounded.lanes(0))
        }
    }

    private func weightedError(
        _ target: Matrix, _ tile: GridTile, _ importance: [Float]
    ) -> ErrorTally.Entry {
        let residual = Matrix(rows: target.rows, columns: Tile.lanes)
        tile.residual(of: target, into: residual)
        var entry = ErrorTally.Entry()
        for column in 0..<target.rows {
            let (x, error) = (target.lanes(column), residual.lanes(column))
            var (energy, wrong): (Float, Float) = (0, 0)
            for lane in 0..<Tile.lanes {
                energy += x[lane] * x[lane]
                wrong += error[lane] * error[lane]
            }
            entry.reference += Double(importance[column]) * Double(energy)
            entry.error += Double(importance[column]) * Double(wrong)
        }
        entry.nearestError = entry.error
        return entry
    }
}
