import BlockFormats
import Kernels

/// Rounds the rows of a tile to nearest, a few columns at a time: what is worked on then stays in
/// the processor's cache.
final class StripRounding {
    private let search: TileSearch
    /// What an error in each column counts; nil for all alike.
    private let importance: [Float]?
    /// Columns of a strip: whole super-blocks, or blocks where there are none.
    private let width: Int
    private let weights: Matrix
    private let strip: GridTile
    /// Lanes: what a column was rounded to, and, over the columns of a strip, the sums of weights'
    /// and of errors' squares, each counted by its importance.
    private let sums: Matrix

    init(_ grid: LevelGrid, importance: [Float]?) {
        search = TileSearch(grid)
        self.importance = importance
        width = max(1, 256 / grid.weightsPerBlock) * grid.weightsPerBlock
        weights = Matrix(rows: width, columns: Tile.lanes)
        strip = GridTile(columns: width, grid: grid)
        sums = Matrix(rows: 3, columns: Tile.lanes)
    }

    /// Rounds rows and stores them.
    /// - Returns: the squares of the weights and of the errors.
    /// - Throws: `QuantizationError.nonFiniteWeight`.
    func round(
        _ rows: Range<Int>, of matrix: Matrix, into builder: QuantizedMatrixBuilder
    ) throws(QuantizationError) -> ErrorTally.Entry {
        var entry = ErrorTally.Entry()
        for start in stride(from: 0, to: matrix.columns, by: width) {
            let columns = start..<min(start + width, matrix.columns)
            let tile =
                columns.count == width
                ? strip : GridTile(columns: columns.count, grid: search.grid)
            try Tile.gather(rows, of: matrix, columns: columns, into: weights)
            let importance = importance.map { Array($0[columns]) }
            search.fit(tile, to: weights, importance: importance)
            round(tile, importance: importance, addingTo: &entry)
            builder.store(tile, rows: rows, from: start / search.grid.weightsPerBlock)
        }
        entry.nearestError = entry.error
        return entry
    }

    private func round(
        _ tile: GridTile, importance: [Float]?, addingTo entry: inout ErrorTally.Entry
    ) {
        let (rounded, squares, errors) = (sums.lanes(0), sums.lanes(1), sums.lanes(2))
        squares.fillLanes(0)
        errors.fillLanes(0)
        for column in 0..<tile.columns {
            let (x, count) = (weights.lanes(column), importance?[column] ?? 1)
            tile.round(column: column, values: x, by: search.rounding, into: rounded)
            for lane in 0..<Tile.lanes {
                let error = x[lane] - rounded[lane]
                squares[lane] += count * (x[lane] * x[lane])
                errors[lane] += count * (error * error)
            }
        }
        for lane in 0..<Tile.lanes {
            entry.reference += Double(squares[lane])
            entry.error += Double(errors[lane])
        }
    }
}
