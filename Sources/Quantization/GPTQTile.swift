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
        hessian.multiply(target, into: gradient)
        entry.reference = hessian.undamped(target.laneProducts(gradient), of: target)

        let nearest = GridTile(columns: columns, grid: search.grid)
        RoundToNearest().round(
            target, importance: importance, search: search, into: nearest)
        let nearestErrors = measure(nearest)
        entry.nearestError = hessian.undamped(nearestErrors, of: residual)

        feedBack(startingFrom: nearest, factor: factor, batchSize: method.batchSize)
        // Feedback follows one order of columns and looks ahead by proxy only: now and then a row
        // ends up worse than where plain rounding had it.
        _ = keep(nearest, errors: nearestErrors)
        var errors = polished(method)
        for _ in 0..<method.restarts {
            let reached = GridTile(tile)
            feedBack(
                startingFrom: reached, factor: factor, batchSize: method.batchSize,
                fittingBlocks: false)
            _ = measure(tile)
            _ = polished(method)
            errors = keep(reached, errors: errors)
        }
        entry.error = hessian.undamped(errors, of: residual)
        return entry
    }

    /// Improves what feedback left, and returns each lane's error.
    private func polished(_ method: GPTQ) -> [Double] {
        for round in 0..<max(method.refits, 1) {
            if round < method.refits, !search.grid.hasMinimum { refitScales() }
            if let blocks {
                for _ in 0..<method.passes(search.grid) {
                    improveBlocks(blocks, batchSize: method.batchSize)
                    if method.refits > 0 { refitUnits() }
                }
            }
            for _ in 0..<method.descentPasses {
                descend(batchSize: method.batchSize, movingScales: method.descentMovesScales)
            }
        }
        return measure(tile)
    }

    /// Takes rows of another tile over whose errors are smaller, and returns each lane's error then.
    private func keep(_ other: GridTile, errors: [Double]) -> [Double] {
        let present = measure(tile)
        guard zip(errors, present).contains(where: { $0 < $1 }) else { return present }
        let better = Matrix(rows: 1, columns: Tile.lanes)
        for lane in 0..<Tile.lanes where errors[lane] < present[lane] { better[0, lane] = 1 }
        tile.take(other, where: better.lanes(0))
        return measure(tile)
    }

    /// Brings `residual` and `gradient` up to `tile`, and returns each lane's error under the
    /// damped Hessian.
    func measure(_ tile: GridTile) -> [Double] {
        tile.residual(of: target, into: residual)
        hessian.multiply(residual, into: gradient)
        return residual.laneProducts(gradient)
    }
}
