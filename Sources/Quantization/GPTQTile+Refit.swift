import BlockFormats
import Kernels

extension GPTQTile {
    /// Replaces the scales of all blocks of each row by those that minimize the row's error
    /// together, given its codes; kept in the rows where that, after rounding to what the file can
    /// hold, is an improvement.
    ///
    /// With l the levels, cut into blocks b, the moves s of the scales solve A·s = r, where
    /// A[b, c] = l_bᵀ·H[b, c]·l_c and r[b] = l_bᵀ·g_b. One system per lane, all solved at once.
    ///
    /// - Parameter before: each lane's error, which `residual` and `gradient` are up to.
    func refitScales(errors before: [Double]) {
        let blocks = tile.blockCount
        let system = LaneSystems(order: blocks)
        fillMatrix(of: system)
        for block in 0..<blocks {
            let right = system.right(block)
            for column in tile.columns(ofBlock: block) {
                let (level, slope) = (tile.levels.lanes(column), gradient.lanes(column))
                for lane in 0..<Tile.lanes { right[lane] += Double(level[lane] * slope[lane]) }
            }
        }
        system.solve()

        let previous = (
            tile: GridTile(tile), residual: residual.copied(), gradient: gradient.copied()
        )
        for block in 0..<blocks {
            let (scale, move) = (tile.scales.lanes(block), system.right(block))
            for lane in 0..<Tile.lanes {
                let moved = scale[lane] + Float(move[lane])
                scale[lane] =
                    tile.representable(scale: moved, minimum: 0, block: block, lane: lane).scale
            }
            tile.setInverses(ofBlock: block)
        }
        let after = measure(tile)
        let worse = mask { !(after[$0] < before[$0]) }
        tile.take(previous.tile, where: worse)
        residual.take(previous.residual, where: worse)
        gradient.take(previous.gradient, where: worse)
    }

    private func fillMatrix(of system: LaneSystems) {
        // H[from this block down, this block] · l of this block.
        let product = Matrix(rows: columns, columns: Tile.lanes)
        for block in 0..<tile.blockCount {
            let members = tile.columns(ofBlock: block)
            multiply(
                MatrixOperand(
                    hessian.damped.pointer(toRow: members.lowerBound, column: members.lowerBound),
                    stride: columns),
                MatrixOperand(tile.levels.lanes(members.lowerBound), stride: Tile.lanes),
                into: product.lanes(members.lowerBound), stride: Tile.lanes,
                rows: columns - members.lowerBound, inner: members.count, columns: Tile.lanes)
            for lower in block..<tile.blockCount {
                let element = system.element(lower, block)
                for column in tile.columns(ofBlock: lower) {
                    let (level, sum) = (tile.levels.lanes(column), product.lanes(column))
                    for lane in 0..<Tile.lanes { element[lane] += Double(level[lane] * sum[lane]) }
                }
            }
        }
    }
}

/// A symmetric positive definite system of equations in each lane.
final class LaneSystems {
    private let order: Int
    /// The lower triangle, row after row, then the right sides; each number is one per lane.
    private let numbers: UnsafeMutableBufferPointer<Double>

    init(order: Int) {
        self.order = order
        numbers = .allocate(capacity: (order * (order + 1) / 2 + order) * Tile.lanes)
        numbers.initialize(repeating: 0)
    }

    deinit { numbers.deallocate() }

    /// The place of A[row, column], not above the diagonal.
    func element(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Double> {
        place(row * (row + 1) / 2 + column)
    }

    /// The right side, and after `solve` the solution.
    func right(_ row: Int) -> UnsafeMutablePointer<Double> { place(order * (order + 1) / 2 + row) }

    private func place(_ index: Int) -> UnsafeMutablePointer<Double> {
        guard let start = numbers.baseAddress else { preconditionFailure("a system of order 0") }
        return start + index * Tile.lanes
    }

    /// Solves all systems by A = L·Lᵀ, in place.
    ///
    /// Where a pivot is lost to rounding, as for a block whose codes are all 0, its unknown becomes
    /// 0.
    func solve() {
        for row in 0..<order {
            let right = right(row)
            for column in 0...row {
                let sum = element(row, column)
                if column == row {
                    // A ridge too small to matter, and enough to keep pivots apart from noise.
                    for lane in 0..<Tile.lanes { sum[lane] *= 1 + 1e-6 }
                }
                for earlier in 0..<column {
                    let (a, b) = (element(row, earlier), element(column, earlier))
                    for lane in 0..<Tile.lanes { sum[lane] -= a[lane] * b[lane] }
                }
                let pivot = element(column, column)
                if column < row {
                    // Pivots are kept as inverses.
                    for lane in 0..<Tile.lanes { sum[lane] *= pivot[lane] }
                } else {
                    for lane in 0..<Tile.lanes {
                        sum[lane] = sum[lane] > 1e-30 ? 1 / sum[lane].squareRoot() : 0
                    }
                }
            }
            for earlier in 0..<row {
                let (factor, known) = (element(row, earlier), self.right(earlier))
                for lane in 0..<Tile.lanes { right[lane] -= factor[lane] * known[lane] }
            }
            let pivot = element(row, row)
            for lane in 0..<Tile.lanes { right[lane] *= pivot[lane] }
        }
        for row in (0..<order).reversed() {
            let right = right(row)
            for later in row + 1..<max(order, row + 1) {
                let (factor, known) = (element(later, row), self.right(later))
                for lane in 0..<Tile.lanes { right[lane] -= factor[lane] * known[lane] }
            }
            let pivot = element(row, row)
            for lane in 0..<Tile.lanes { right[lane] *= pivot[lane] }
        }
    }
}
