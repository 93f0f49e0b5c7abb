import BlockFormats
import Kernels
import TensorIR

/// GPTQ for the weights of one linear layer (Frantar et al. 2022, algorithm 1), directly on the
/// grid that the file will hold.
///
/// Columns are rounded one after the other. What rounding one column costs is made up for by moving
/// the columns still to come, as far as the calibration inputs say that they can stand in for it.
/// `U`, the upper Cholesky factor of the damped inverse Hessian, holds those rates.
///
/// Two improvements follow, each judged row by row under the full Hessian and kept only where it
/// helps. *Refitting*: with the codes known, the scales of all blocks of a row are the solution of
/// a linear least squares problem. *Descent*: with everything else fixed, the best code of one
/// weight is known in closed form; all codes take turns.
package struct GPTQ: Sendable {
    /// Columns corrected one at a time before the rest catch up in one product. Speed only.
    package var batchSize = 64
    /// Whether the search for scales counts errors in a column by the size of its inputs; otherwise
    /// all columns count alike.
    package var weighsColumns = true
    /// Times that the scales are refitted, each time followed by descent.
    package var refits = 1
    /// Passes in which blocks take turns to be rounded anew, under several scales, after each refit.
    package var blockPasses = 1
    /// The same of grids with super-blocks, whose units are refitted after each.
    package var superBlockPasses = 3
    /// Times that feedback starts over with the scales that were reached.
    package var restarts = 1
    /// Passes of descent over all codes, after each refit.
    package var descentPasses = 2
    /// Whether descent adjusts the scale and minimum of a block each time it has passed over its
    /// codes.
    package var descentMovesScales = true

    /// Columns of the widest blocks whose scales are chosen anew once codes are known; those of wider
    /// ones are refitted only.
    static let widestBlock = 256

    package init() {}

    /// Rounds a matrix.
    ///
    /// Rows do not influence each other: matrices with the same inputs and the same grid may be
    /// given as one. Without a factor of the Hessian the weights are rounded to nearest, and the
    /// report says why.
    ///
    /// - Parameters:
    ///   - weights: (rows, columns).
    ///   - encoding: one that `LevelGrid` describes.
    ///   - hessian: of the layer's inputs.
    ///   - workers: the threads to work on; the result does not depend on them.
    /// - Returns: the blocks, their weights, and what the rounding cost.
    /// - Throws: `QuantizationError` for an encoding without a grid, widths that differ, and weights
    ///   that are not finite.
    package func quantize(
        _ weights: Matrix, to encoding: Encoding, hessian: Hessian, workers: Workers
    ) throws(QuantizationError) -> QuantizedMatrix {
        if let grid = CodebookGrid(encoding) {
            return try quantize(weights, to: grid, hessian: hessian, workers: workers)
        }
        guard let grid = LevelGrid(encoding) else {
            throw .unsupportedEncoding(encoding.description)
        }
        guard hessian.columns == weights.columns else {
            throw .widthMismatch(columns: weights.columns, statistics: hessian.columns)
        }
        guard let factor = hessian.factor else {
            return try roundToNearest(weights, to: encoding, hessian: hessian, workers: workers)
        }
        let builder = try QuantizedMatrixBuilder(
            grid, rows: weights.rows, columns: weights.columns)
        let blocks =
            passes(grid) > 0 && grid.weightsPerScale <= Self.widestBlock
            ? BlockFactors(hessian, groupSize: grid.weightsPerScale, workers) : nil
        let tally = ErrorTally(tileCount: Tile.count(rows: weights.rows))
        try workers.forEach(tally.tileCount) { index throws(QuantizationError) in
            let rows = Tile.rows(index, of: weights.rows)
            let pass = GPTQTile(
                target: try Tile.gather(rows, of: weights), grid: grid, hessian: hessian,
                blocks: blocks)
            tally[index] = pass.run(self, factor: factor)
            builder.store(pass.tile, rows: rows)
        }
        let total = tally.total
        return builder.finish(
            QuantizationReport(
                relativeError: total.relative,
                relativeErrorOfRoundingToNearest: total.relativeNearest,
                squaredOutput: total.reference,
                deadColumnCount: hessian.deadColumns.count,
                dampingFraction: hessian.dampingFraction))
    }

    /// How often blocks take turns.
    func passes(_ grid: LevelGrid) -> Int {
        grid.subBlocks == nil ? blockPasses : superBlockPasses
    }

    /// What errors in each column count for the search for scales.
    func importance(_ hessian: Hessian) -> [Float] {
        weighsColumns ? hessian.diagonal : [Float](repeating: 1, count: hessian.columns)
    }

    func roundToNearest(
        _ weights: Matrix, to encoding: Encoding, hessian: Hessian, workers: Workers
    ) throws(QuantizationError) -> QuantizedMatrix {
        let importance = importance(hessian).map { max(0, $0) }
        let result = try RoundToNearest().quantize(
            weights, to: encoding, importance: importance, workers: workers)
        var report = result.report
        report.fallback = hessian.fallback
        return QuantizedMatrix(
            encoding: encoding, bytes: result.bytes, decoded: result.decoded, report: report)
    }
}
