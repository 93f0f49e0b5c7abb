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
        let builder = try QuantizedMatrixBuilder(
            grid, rows: weights.rows, columns: weights.columns)
        let tally = ErrorTally(tileCount: Tile.count(rows: weights.rows))
        // A thread that works alone need not make the memory that strips are rounded in again for each tile.
        let length = workers.isInsideOfItem ? tally.tileCount : 1
        try workers.forEachRange(of: tally.tileCount, length: length) {
            tiles throws(QuantizationError) in
            let strips = StripRounding(grid, importance: importance)
            for index in tiles {
                tally[index] = try strips.round(
                    Tile.rows(index, of: weights.rows), of: weights, into: builder)
            }
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
}
