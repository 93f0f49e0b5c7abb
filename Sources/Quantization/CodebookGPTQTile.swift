import BlockFormats
import Kernels

/// GPTQ on a codebook grid at work on one tile.
///
/// As for scalar grids, columns make up for the errors of those before them, and descent follows; but
/// eight columns are rounded at a time, to the vectors and signs that are best for them together.
/// `CodebookGPTQTile+Descent` has the second part.
final class CodebookGPTQTile {
    /// The weights to come close to: (columns, lanes). Dead columns are zero.
    let target: Matrix
    let plan: CodebookPlan
    let grid: CodebookGrid
    /// What has been reached.
    let tile: CodebookTile
    /// H·(target − weights), H damped: minus half the gradient of the error by the weights.
    let gradient: Matrix
    let choice: CodebookChoice
    private let residual: Matrix
    /// What errors in each column count for the search for scales.
    private var importance: [Float]
    private let search: CodebookSearch

    var columns: Int { target.rows }
    var hessian: Hessian { plan.hessian }

    init(target: Matrix, rowCount: Int, grid: CodebookGrid, plan: CodebookPlan) {
        (self.target, self.grid, self.plan) = (target, grid, plan)
        tile = CodebookTile(grid, rowCount: rowCount, columns: target.rows)
        gradient = Matrix(rows: target.rows, columns: Tile.lanes)
        residual = Matrix(rows: target.rows, columns: Tile.lanes)
        choice = CodebookChoice(grid)
        search = CodebookSearch(grid)
        importance = plan.hessian.diagonal
        for dead in plan.hessian.deadColumns { target.lanes(dead).fillLanes(0) }
    }

    /// Does it all; the result is in `tile`.
    func run(_ method: GPTQ) -> ErrorTally.Entry {
        var entry = ErrorTally.Entry()
        importance = method.importance(hessian)
        hessian.multiply(target, into: gradient)
        entry.reference = hessian.undamped(target.laneProducts(gradient), of: target)

        let nearest = CodebookTile(grid, rowCount: tile.rowCount, columns: columns)
        for column in stride(from: 0, to: columns, by: CodebookGrid.weightsPerBlock) {
            prepareSearch(from: column)
            nearest.fit(target, from: column, xRow: column, by: search)
        }
        let nearestErrors = measure(nearest)
        entry.nearestError = hessian.undamped(nearestErrors, of: residual)

        tile.take(nearest) { _ in true }
        feedBack(batchSize: method.batchSize)
        let errors = measure(tile)
        // Feedback follows one order of columns and looks ahead by proxy only: now and then a row
        // ends up worse than where plain rounding had it.
        tile.take(nearest) { nearestErrors[$0] < errors[$0] }
        _ = measure(tile)

        for _ in 0..<max(method.refits, 1) {
            if method.refits > 0 { refitUnits() }
            for _ in 0..<method.descentPasses {
                descend(batchSize: method.batchSize, movingScales: method.descentMovesScales)
                if method.refits > 0 { refitUnits() }
            }
        }
        entry.error = hessian.undamped(measure(tile), of: residual)
        return entry
    }

    /// Brings `residual` and `gradient` up to `tile`, and returns each lane's error under the
    /// damped Hessian.
    private func measure(_ tile: CodebookTile) -> [Double] {
        for column in 0..<columns {
            let (x, reached) = (target.lanes(column), tile.weights.lanes(column))
            let rest = residual.lanes(column)
            for lane in 0..<Tile.lanes { rest[lane] = x[lane] - reached[lane] }
        }
        hessian.multiply(residual, into: gradient)
        return residual.laneProducts(gradient)
    }

    private func prepareSearch(from column: Int) {
        search.setWeights(importance[column..<column + CodebookGrid.weightsPerBlock])
    }

    /// The vectors that a group may choose from: all, or those with its run's shift.
    func range(_ block: CodebookBlock, column: Int) -> Range<Int> {
        let count = grid.codebook.count
        guard grid.sharesShift else { return 0..<count }
        let first =
            column % CodebookGrid.weightsPerBlock / grid.weightsPerScale
            * (grid.weightsPerScale / CodebookGrid.groupSize)
        return Int(block.entries[first]) < count / 2 ? 0..<count / 2 : count / 2..<count
    }

    // MARK: Feedback

    private func feedBack(batchSize: Int) {
        let order = plan.order
        let (width, blockWidth) = (CodebookGrid.groupSize, CodebookGrid.weightsPerBlock)
        // In the natural order a super-block is fitted when it is reached: none of its columns may
        // then miss a batch's correction.
        let wanted = plan.isNatural ? blockWidth : max(batchSize / width, 1) * width
        let batchSize = min(wanted, columns)
        // The weights still to be rounded, corrected for those that are: (columns in order, lanes).
        let work = Matrix(rows: columns, columns: Tile.lanes)
        for (place, column) in order.enumerated() {
            work.lanes(place).copyLanes(target.lanes(column))
        }
        let errors = Matrix(rows: batchSize, columns: Tile.lanes)
        for start in stride(from: 0, to: columns, by: batchSize) {
            let batch = start..<min(start + batchSize, columns)
            for place in batch {
                let column = order[place]
                if plan.isNatural, column % blockWidth == 0 {
                    prepareSearch(from: column)
                    tile.fit(work, from: column, xRow: place, by: search)
                }
                if column % width == 0 { round(work, place: place, column: column) }
                let (weight, error) = (work.lanes(place), errors.lanes(place - start))
                let reached = tile.weights.lanes(column)
                let rate = 1 / plan.factor[place, place]
                for lane in 0..<Tile.lanes { error[lane] = (weight[lane] - reached[lane]) * rate }
                let later = place + 1
                guard later < batch.upperBound else { continue }
                work.lanes(later).addProducts(
                    plan.factor.pointer(toRow: later, column: place), stride: columns, sign: -1,
                    of: error, rows: batch.upperBound - later)
            }
            guard batch.upperBound < columns else { break }
            multiply(
                MatrixOperand(
                    plan.factor.pointer(toRow: batch.upperBound, column: start), stride: columns),
                MatrixOperand(errors.lanes(0), stride: Tile.lanes),
                into: work.lanes(batch.upperBound), stride: Tile.lanes,
                rows: columns - batch.upperBound, inner: batch.count, columns: Tile.lanes,
                scale: -1, keep: 1)
        }
    }

    /// Rounds a group in all rows, on the scales that their super-blocks have.
    private func round(_ work: Matrix, place: Int, column: Int) {
        let width = CodebookGrid.groupSize
        let metric = plan.feedbackMetrics.pointer(toRow: place / width)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) { scratch in
            guard let x = scratch.baseAddress else { return }
            let linear = x + width
            for row in 0..<tile.rowCount {
                let scale = tile.scale(row, column: column)
                guard scale > 0 else { continue }
                for i in 0..<width { x[i] = work.lanes(place + i)[row] }
                for i in 0..<width {
                    linear[i] = (0..<width).reduce(0) { $0 + metric[i * width + $1] * x[$1] }
                }
                choice.start(from: x, scale: scale)
                choice.improve(
                    metric: metric, product: linear, scale: scale,
                    range: range(tile[row, column: column], column: column))
                choice.store(column, in: &tile[row, column: column])
                for i in 0..<width {
                    tile.weights.lanes(column + i)[row] = scale * choice.levels[i]
                }
            }
        }
    }
}
