import Kernels
import TensorIR

/// Chooses the scale, and the minimum, of one block in every lane of a tile.
///
/// What is minimized is Σ weight · (x − x̂)², x̂ being what the file will say. Rounding makes that
/// a function of the scale with many local minima, so the search tries a list of scales: each gives
/// codes, the codes give the scale that suits them best in closed form, and that scale is rounded
/// to what the file can hold before it is judged. The winner is then improved by taking turns:
/// codes for the scale, scale for the codes.
///
/// A search belongs to one thread; it owns the memory that it works in.
///
/// The scales of a grid with sub-blocks are left as they come out, for its units are not known yet;
/// `SuperBlockSearch` does the rest.
package final class ScaleSearch {
    package let grid: LevelGrid
    package let rounding: LevelRounding
    /// Rounds of codes and scale taking turns, at the end.
    private let refinements = 4
    /// Whether scales and minimums need not be rounded to anything.
    let isFree: Bool
    /// −1 or 1 in each lane: the sign of a free minimum.
    let minimumSigns: Lanes

    /// Whether the minimum is stored as a whole number of scales, so that both move together.
    private let storesZeroPoint: Bool
    private let scratch = Matrix(rows: 16, columns: Tile.lanes)
    let zeros: Lanes
    let inverseScale: Lanes
    let scale: Lanes
    let minimum: Lanes
    private let errors: Lanes
    let bestError: Lanes
    let sums: BlockSums

    package init(_ grid: LevelGrid) {
        self.grid = grid
        isFree = grid.subBlocks != nil
        rounding = LevelRounding(grid.levels)
        if case .grouped(let grouped) = grid.encoding {
            storesZeroPoint = grouped.offset == .zeroPoint
        } else {
            storesZeroPoint = false
        }
        (zeros, inverseScale) = (scratch.lanes(0), scratch.lanes(2))
        (scale, minimum, bestError) = (scratch.lanes(3), scratch.lanes(4), scratch.lanes(5))
        errors = scratch.lanes(6)
        sums = BlockSums(scratch, from: 7)
        minimumSigns = scratch.lanes(13)
        minimumSigns.fillLanes(-1)
    }

    /// Fits one block.
    ///
    /// - Parameters:
    ///   - block: the weights.
    ///   - scales: receives the result.
    ///   - minimums: receives the result.
    package func fit(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        bestError.fillLanes(.infinity)
        scales.fillLanes(0)
        minimums.fillLanes(0)
        if grid.hasMinimum {
            fitWithMinimum(block, scales: scales, minimums: minimums)
        } else {
            fitSymmetric(block, scales: scales, minimums: minimums)
        }
        refine(block, scales: scales, minimums: minimums)
    }
}

extension ScaleSearch {
    /// Codes for the current inverse scales, and their sums.
    ///
    /// - Parameters:
    ///   - block: the weights to round.
    ///   - minimums: what is taken off them first.
    func collect(_ block: WeightedBlock, minimums: UnsafePointer<Float>) {
        sums.collect(block, minimums: minimums, inverseScales: inverseScale, rounding: rounding)
    }

    /// Keeps a scale and minimum, rounded to what a file holds, if nothing better is known.
    @inline(__always)
    func offer(
        _ lane: Int, scale: Float, minimum: Float, scales: Lanes, minimums: Lanes
    ) {
        var stored = grid.representable(scale: scale, minimum: minimum)
        if storesZeroPoint, stored.scale != 0 {
            let fitted = self.scale(lane, withZeroPointOf: stored)
            stored = grid.representable(
                scale: fitted, minimum: fitted * (stored.minimum / stored.scale))
        }
        let error = sums.error(lane, scale: stored.scale, minimum: stored.minimum)
        if error < bestError[lane] {
            bestError[lane] = error
            scales[lane] = stored.scale
            minimums[lane] = stored.minimum
        }
    }

    /// The scale for the codes that the sums are of, the zero point being what `minimum` makes it.
    @inline(__always)
    private func scale(_ lane: Int, withZeroPointOf stored: (scale: Float, minimum: Float)) -> Float
    {
        // x̂ = scale · (l + ratio)
        let ratio = stored.minimum / stored.scale
        let square = sums.ll[lane] + ratio * (2 * sums.l[lane] + ratio * sums.w[lane])
        return square > 0 ? (sums.lx[lane] + ratio * sums.x[lane]) / square : stored.scale
    }

    /// Codes for the scale, scale for the codes, and again; judged by the codes that each scale
    /// gets.
    private func refine(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        let (hasMinimum, grid) = (grid.hasMinimum, grid)
        guard !isFree else { return }
        bestError.fillLanes(.infinity)
        scale.copyLanes(scales)
        minimum.copyLanes(minimums)
        for _ in 0..<refinements {
            for lane in 0..<Tile.lanes { inverseScale[lane] = inverse(ofScale: scale[lane]) }
            errors.fillLanes(0)
            collect(block, minimums: minimum)
            block.addErrors(
                scales: scale, minimums: minimum, inverseScales: inverseScale, rounding: rounding,
                to: errors)
            for lane in 0..<Tile.lanes {
                if errors[lane] < bestError[lane] {
                    bestError[lane] = errors[lane]
                    scales[lane] = scale[lane]
                    minimums[lane] = minimum[lane]
                }
                let (w, l, ll) = (sums.w[lane], sums.l[lane], sums.ll[lane])
                let (x, lx) = (sums.x[lane], sums.lx[lane])
                let determinant = w * ll - l * l
                var next = (scale: scale[lane], minimum: minimum[lane])
                if !hasMinimum {
                    if ll > 0 { next.scale = lx / ll }
                } else if determinant > 1e-5 * w * ll {
                    next.scale = (w * lx - l * x) / determinant
                    next.minimum = (ll * x - l * lx) / determinant
                }
                next = grid.representable(scale: next.scale, minimum: next.minimum)
                if storesZeroPoint, next.scale != 0 {
                    let fitted = self.scale(lane, withZeroPointOf: next)
                    next = grid.representable(
                        scale: fitted, minimum: fitted * (next.minimum / next.scale))
                }
                scale[lane] = next.scale
                minimum[lane] = next.minimum
            }
        }
    }
}
