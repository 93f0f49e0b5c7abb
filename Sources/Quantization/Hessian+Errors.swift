import BlockFormats
import Kernels

/// The errors of a tile's rows under the Hessian.
extension Hessian {
    /// H·x, H damped; x and result are (columns, lanes).
    func multiply(_ x: Matrix, into result: Matrix) {
        guard columns > 0 else { return }
        Kernels.multiply(
            MatrixOperand(damped.pointer(toRow: 0), stride: columns),
            MatrixOperand(x.lanes(0), stride: Tile.lanes), into: result.lanes(0),
            stride: Tile.lanes, rows: columns, inner: columns, columns: Tile.lanes)
    }

    /// Sums errors of lanes and takes out what is not from the calibration text: the damping, and
    /// the ones on the diagonal of dead columns.
    func undamped(_ errors: [Double], of x: Matrix) -> Double {
        var squares = 0.0
        for column in 0..<columns {
            let lanes = x.lanes(column)
            for lane in 0..<Tile.lanes { squares += Double(lanes[lane] * lanes[lane]) }
        }
        var extra = squares * Double(damping)
        for dead in deadColumns {
            let lanes = x.lanes(dead)
            for lane in 0..<Tile.lanes { extra += Double(lanes[lane] * lanes[lane]) }
        }
        return max(0, errors.reduce(0, +) - extra)
    }
}

extension Matrix {
    /// Σ self·other over columns, for each lane.
    func laneProducts(_ other: Matrix) -> [Double] {
        var sums = [Double](repeating: 0, count: Tile.lanes)
        sums.withUnsafeMutableBufferPointer { sums in
            guard let sum = sums.baseAddress else { return }
            for column in 0..<rows {
                let (x, y) = (lanes(column), other.lanes(column))
                for lane in 0..<Tile.lanes { sum[lane] += Double(x[lane] * y[lane]) }
            }
        }
        return sums
    }
}
