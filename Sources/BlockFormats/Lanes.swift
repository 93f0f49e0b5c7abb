import CKernels
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

    /// Adds to each of some rows of lanes a multiple of the same lanes; `addProductsReference` is the
    /// definition, to the bit.
    ///
    /// - Parameters:
    ///   - factors: one for each row.
    ///   - stride: how far they are apart.
    ///   - sign: what they are multiplied by, 1 or −1.
    ///   - other: the lanes.
    ///   - rows: how many follow each other from here on.
    package func addProducts(
        _ factors: UnsafePointer<Float>, stride: Int = 1, sign: Float,
        of other: UnsafePointer<Float>, rows: Int
    ) {
        guard rows > 0 else { return }
        detent_add_lane_products(self, factors, stride, sign, other, rows, Tile.lanes)
    }

    package func addProductsReference(
        _ factors: UnsafePointer<Float>, stride: Int = 1, sign: Float,
        of other: UnsafePointer<Float>, rows: Int
    ) {
        for row in 0..<rows {
            for lane in 0..<Tile.lanes {
                self[row * Tile.lanes + lane] += sign * factors[row * stride] * other[lane]
            }
        }
    }
}
