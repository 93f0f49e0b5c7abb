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
        var errors = measure(tile)
        if keep(nearest, errors: nearestErrors, over: &errors) { errors = measure(tile) }
        errors = polished(method, errors: errors)
        for _ in 0..<method.restarts {
            let reached = (tile: GridTile(tile), errors: errors)
            feedBack(
                startingFrom: reached.tile, factor: factor, batchSize: method.batchSize,
                fittingBlocks: false)
            errors = polished(method, errors: measure(tile))
            _ = keep(reached.tile, errors: reached.errors, over: &errors)
        }
        tile.residual(of: target, into: residual)
        entry.error = hessian.undamped(errors, of: residual)
        return entry
    }

    /// Improves what feedback left, whose errors were measured, and returns each lane's error.
    private func polished(_ method: GPTQ, errors: [Double]) -> [Double] {
        for round in 0..<max(method.refits, 1) {
            if round < method.refits, !search.grid.hasMinimum {
                refitScales(errors: round == 0 ? errors : measure(tile))
            }
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

    /// Takes rows of another tile over whose errors are smaller, and says whether there are any; `residual` and
    /// `gradient` stay as they are.
    private func keep(
        _ other: GridTile, errors: [Double], over present: inout [Double]
    ) -> Bool {
        let better = mask { errors[$0] < present[$0] }
        guard better.elements.contains(1) else { return false }
        tile.take(other, where: better)
        for lane in 0..<Tile.lanes { present[lane] = min(present[lane], errors[lane]) }
        return true
    }

    /// 1 in the lanes that are chosen, 0 in others: (1, lanes).
    func mask(where isChosen: (Int) -> Bool) -> Matrix {
        Matrix(rows: 1, columns: Tile.lanes, (0..<Tile.lanes).map { isChosen($0) ? 1 : 0 })
    }

    /// Brings `residual` and `gradient` up to `tile`, and returns each lane's error under the
    /// damped Hessian.
    func measure(_ tile: GridTile) -> [Double] {
        tile.residual(of: target, into: residual)
        hessian.multiply(residual, into: gradient)
        return residual.laneProducts(gradient)
    }
}
