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
    /// Levels: (columns, lanes).
    private let levels: UnsafeMutableBufferPointer<Int8>
    /// Lanes: over the columns of a strip, the sums of weights' and of errors' squares, each counted
    /// by its importance.
    private let sums: Matrix

    init(_ grid: LevelGrid, importance: [Float]?) {
        search = TileSearch(grid, effort: importance == nil ? .quick : .thorough)
        self.importance = importance
        width = max(1, 256 / grid.weightsPerBlock) * grid.weightsPerBlock
        weights = Matrix(rows: width, columns: Tile.lanes)
        strip = GridTile(columns: width, grid: grid)
        levels = .allocate(capacity: width * Tile.lanes)
        levels.initialize(repeating: 0)
        sums = Matrix(rows: 2, columns: Tile.lanes)
    }

    deinit { levels.deallocate() }

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
            round(
                tile, importance ?? [Float](repeating: 1, count: columns.count), addingTo: &entry)
            builder.store(
                tile, levels: UnsafeBufferPointer(levels), rows: rows,
                from: start / search.grid.weightsPerBlock)
        }
        entry.nearestError = entry.error
        return entry
    }

    private func round(
        _ tile: GridTile, _ importance: [Float], addingTo entry: inout ErrorTally.Entry
    ) {
        let (squares, errors) = (sums.lanes(0), sums.lanes(1))
        squares.fillLanes(0)
        errors.fillLanes(0)
        importance.withUnsafeBufferPointer { importance in
            guard let levels = levels.baseAddress else { return }
            for block in 0..<tile.blockCount {
                let columns = tile.columns(ofBlock: block)
                search.rounding.encode(
                    weights.lanes(columns.lowerBound),
                    counts: UnsafeBufferPointer(rebasing: importance[columns]),
                    scales: tile.scales.lanes(block), minimums: tile.minimums.lanes(block),
                    inverseScales: tile.inverseScales.lanes(block),
                    into: levels + columns.lowerBound * Tile.lanes, squares: squares,
                    errors: errors)
            }
        }
        for lane in 0..<Tile.lanes {
            entry.reference += Double(squares[lane])
            entry.error += Double(errors[lane])
        }
    }
}
