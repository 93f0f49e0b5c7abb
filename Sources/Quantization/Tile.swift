import BlockFormats
import Kernels

extension Tile {
    static func count(rows: Int) -> Int { (rows + lanes - 1) / lanes }

    /// The rows of a matrix that tile number `index` covers.
    static func rows(_ index: Int, of rowCount: Int) -> Range<Int> {
        index * lanes..<min(rowCount, (index + 1) * lanes)
    }

    /// Turns `rows` of `weights` into a tile.
    /// - Throws: `QuantizationError.nonFiniteWeight`, of the first such weight.
    static func gather(
        _ rows: Range<Int>, of weights: Matrix
    ) throws(QuantizationError) -> Matrix {
        let tile = Matrix(rows: weights.columns, columns: lanes)
        try gather(rows, of: weights, columns: 0..<weights.columns, into: tile)
        return tile
    }

    /// Turns some columns of `rows` of `weights` into a tile, whose other lanes stay as they are.
    /// - Throws: `QuantizationError.nonFiniteWeight`, of the first such weight.
    static func gather(
        _ rows: Range<Int>, of weights: Matrix, columns: Range<Int>, into tile: Matrix
    ) throws(QuantizationError) {
        guard !columns.isEmpty, !rows.isEmpty else { return }
        let areFinite = transpose(
            weights.pointer(toRow: rows.lowerBound, column: columns.lowerBound),
            stride: weights.columns, rows: rows.count, columns: columns.count,
            into: tile.pointer(toRow: 0), stride: lanes)
        guard !areFinite else { return }
        for row in rows {
            guard let column = weights.row(row).firstIndex(where: { !$0.isFinite }) else {
                continue
            }
            throw QuantizationError.nonFiniteWeight(row: row, column: column)
        }
    }
}
