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
        guard weights.columns > 0 else { return tile }
        let target = tile.pointer(toRow: 0)
        for (lane, row) in rows.enumerated() {
            let source = weights.pointer(toRow: row)
            // x − x is zero for finite numbers only, and what is not zero stays in a sum.
            var strangeness: Float = 0
            for column in 0..<weights.columns {
                target[column &* lanes &+ lane] = source[column]
                strangeness += source[column] - source[column]
            }
            if strangeness != 0 {
                let column = weights.row(row).firstIndex { !$0.isFinite } ?? 0
                throw QuantizationError.nonFiniteWeight(row: row, column: column)
            }
        }
        return tile
    }
}
