import BlockFormats
import Kernels

/// GPTQ at work on one tile: what its steps share.
///
/// The steps, in order of their appearance, are in `GPTQTile+Feedback`, `+Refit` and `+Descent`.
final class GPTQTile {
    /// The weights to come close to: (columns, lanes). Dead columns are zero.
    let target: Matrix
    let hessian: Hessian
    let search: TileSearch
    /// Of blocks that are rounded anew; nil to leave that out.
    private let blocks: BlockFactors?
    /// What has been reached.
    let tile: GridTile
    /// target − tile: (columns, lanes).
    let residual: Matrix
    /// H·(target − tile), H damped: minus half the gradient of the error by the weights.
    let gradient: Matrix
    /// What errors in each column count for the search for scales.
    private(set) var importance: [Float]

    var columns: Int { target.rows }
    var groupSize: Int { tile.groupSize }
    var rounding: LevelRounding { search.rounding }

    init(target: Matrix, grid: LevelGrid, hessian: Hessian, blocks: BlockFactors? = nil) {
        (self.target, self.hessian, self.blocks) = (target, hessian, blocks)
        importance = hessian.diagonal
        search = TileSearch(grid)
        tile = GridTile(columns: target.rows, grid: grid)
        residual = Matrix(rows: target.rows, columns: Tile.lanes)
        gradient = Matrix(rows: target.rows, columns: Tile.lanes)
        for dead in hessian.deadColumns { target.lanes(dead).fillLanes(0) }
    }

    /// Does it all; the result is in `tile`.
    func run(_ method: GPTQ, factor: Matrix) -> ErrorTally.Entry {
        var entry = ErrorTally.Entry()
        importance = method.importance(hessian)
        multiplyByHessian(target, into: gradient)
        entry.reference = undamped(laneProducts(target, gradient), of: target)

        let nearest = GridTile(columns: columns, grid: search.grid)
        RoundToNearest().round(
            target, importance: importance, search: search, into: nearest)
        let nearestErrors = measure(nearest)
        entry.nearestError = undamped(nearestErrors, of: residual)

        feedBack(startingFrom: nearest, factor: factor, batchSize: method.batchSize)
        // Feedback follows one order of columns and looks ahead by proxy only: now and then a row
        // ends up worse than where plain rounding had it.
        keep(nearest, whereBelow: measure(tile), errors: nearestErrors)
        polish(method)
        for _ in 0..<method.restarts {
            let reached = GridTile(tile)
            let errors = measure(tile)
            feedBack(
                startingFrom: reached, factor: factor, batchSize: method.batchSize,
                fittingBlocks: false)
            _ = measure(tile)
            polish(method)
            keep(reached, whereBelow: measure(tile), errors: errors)
        }
        entry.error = undamped(measure(tile), of: residual)
        return entry
    }

    /// Improves what feedback left.
    private func polish(_ method: GPTQ) {
        for round in 0..<max(method.refits, 1) {
            if round < method.refits, !search.grid.hasMinimum { refitScales() }
            if let blocks {
                for _ in 0..<method.blockPasses {
                    improveBlocks(blocks, batchSize: method.batchSize)
                    if method.refits > 0 { refitUnits() }
                }
            }
            for _ in 0..<method.descentPasses {
                descend(batchSize: method.batchSize, movingScales: method.descentMovesScales)
            }
        }
    }

    /// Takes rows of another tile over whose errors are smaller.
    private func keep(_ other: GridTile, whereBelow present: [Double], errors: [Double]) {
        let better = Matrix(rows: 1, columns: Tile.lanes)
        for lane in 0..<Tile.lanes where errors[lane] < present[lane] { better[0, lane] = 1 }
        tile.take(other, where: better.lanes(0))
        _ = measure(tile)
    }

    /// Brings `residual` and `gradient` up to `tile`, and returns each lane's error under the
    /// damped Hessian.
    func measure(_ tile: GridTile) -> [Double] {
        tile.residual(of: target, into: residual)
        multiplyByHessian(residual, into: gradient)
        return laneProducts(residual, gradient)
    }

    func multiplyByHessian(_ x: Matrix, into result: Matrix) {
        guard columns > 0 else { return }
        multiply(
            MatrixOperand(hessian.damped.pointer(toRow: 0), stride: columns),
            MatrixOperand(x.lanes(0), stride: Tile.lanes), into: result.lanes(0),
            stride: Tile.lanes, rows: columns, inner: columns, columns: Tile.lanes)
    }

    /// Σ a·b over columns, for each lane.
    private func laneProducts(_ a: Matrix, _ b: Matrix) -> [Double] {
        var sums = [Double](repeating: 0, count: Tile.lanes)
        sums.withUnsafeMutableBufferPointer { sums in
            guard let sum = sums.baseAddress else { return }
            for column in 0..<columns {
                let (x, y) = (a.lanes(column), b.lanes(column))
                for lane in 0..<Tile.lanes { sum[lane] += Double(x[lane] * y[lane]) }
            }
        }
        return sums
    }

    /// Sums errors of lanes and takes out what is not from the calibration text: the damping, and
    /// the ones on the diagonal of dead columns.
    private func undamped(_ errors: [Double], of x: Matrix) -> Double {
        var squares = 0.0
        for column in 0..<columns {
            let lanes = x.lanes(column)
            for lane in 0..<Tile.lanes { squares += Double(lanes[lane] * lanes[lane]) }
        }
        var extra = squares * Double(hessian.damping)
        for dead in hessian.deadColumns {
            let lanes = x.lanes(dead)
            for lane in 0..<Tile.lanes { extra += Double(lanes[lane] * lanes[lane]) }
        }
        return max(0, errors.reduce(0, +) - extra)
    }
}
