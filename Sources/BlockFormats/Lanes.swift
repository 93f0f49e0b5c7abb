import Kernels

/// One number per lane of a tile: `Tile.lanes` of them.
package typealias Lanes = UnsafeMutablePointer<Float>

/// A few rows of a weight matrix, turned: (columns, lanes), one lane per row.
///
/// Everything that is done to one row is done to all rows alike, in the same order of columns. With
/// the weights of a column side by side, each step is a loop over lanes that the compiler turns into
/// vector instructions. A tile has the same number of lanes whatever the thread count, so threads
/// cannot change a result; the lanes that the last tile of a matrix has too many hold zeros.
package enum Tile {
    package static let lanes = 64
}

extension Matrix {
    /// Row `index` of a matrix that has a column per lane.
    @inline(__always)
    package func lanes(_ index: Int) -> Lanes { pointer(toRow: index) }
}

extension UnsafeMutablePointer<Float> {
    @inline(__always)
    package func fillLanes(_ value: Float) {
        for lane in 0..<Tile.lanes { self[lane] = value }
    }

    @inline(__always)
    package func copyLanes(_ other: UnsafePointer<Float>) {
        update(from: other, count: Tile.lanes)
    }

    /// Subtracts `factor` times `other`.
    @inline(__always)
    package func subtractLanes(_ factor: Float, _ other: UnsafePointer<Float>) {
        for lane in 0..<Tile.lanes { self[lane] -= factor * other[lane] }
    }
}
