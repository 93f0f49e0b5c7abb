import Kernels

/// One number per lane of a tile: `Tile.lanes` of them.
typealias Lanes = UnsafeMutablePointer<Float>

/// A few rows of a weight matrix, turned: (columns, lanes), one lane per row.
///
/// Everything that a pass does to one row it does to all rows alike, in the same order of columns.
/// With the weights of a column side by side, each step is a loop over lanes that the compiler
/// turns into vector instructions. A tile has the same number of lanes whatever the thread count,
/// so threads cannot change a result; the lanes that the last tile of a matrix has too many hold
/// zeros.
enum Tile {
    static let lanes = 64

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

extension Matrix {
    /// Row `index` of a matrix that has a column per lane.
    @inline(__always)
    func lanes(_ index: Int) -> Lanes { pointer(toRow: index) }
}

extension UnsafeMutablePointer<Float> {
    @inline(__always)
    func fillLanes(_ value: Float) {
        for lane in 0..<Tile.lanes { self[lane] = value }
    }

    @inline(__always)
    func copyLanes(_ other: UnsafePointer<Float>) {
        update(from: other, count: Tile.lanes)
    }

    /// Subtracts `factor` times `other`.
    @inline(__always)
    func subtractLanes(_ factor: Float, _ other: UnsafePointer<Float>) {
        for lane in 0..<Tile.lanes { self[lane] -= factor * other[lane] }
    }
}
