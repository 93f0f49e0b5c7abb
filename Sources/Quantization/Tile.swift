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
        let target = tile.pointer(toRow: 0)
        // Of finite numbers only, the bits without the sign are less than those of infinity.
        var largest: Int32 = 0
        // A few columns of all rows at a time, so that what they are written to stays at hand.
        for start in stride(from: columns.lowerBound, to: columns.upperBound, by: 32) {
            let count = min(32, columns.upperBound - start)
            for (lane, row) in rows.enumerated() {
                let source = weights.pointer(toRow: row, column: start)
                let place = target + (start - columns.lowerBound) * lanes + lane
                for column in 0..<count {
                    place[column &* lanes] = source[column]
                    largest = max(largest, Int32(bitPattern: source[column].magnitude.bitPattern))
                }
            }
        }
        guard largest >= Int32(bitPattern: Float.infinity.bitPattern) else { return }
        for row in rows {
            guard let column = weights.row(row).firstIndex(where: { !$0.isFinite }) else { continue }
            throw QuantizationError.nonFiniteWeight(row: row, column: column)
        }
    }
}
