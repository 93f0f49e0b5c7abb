import CKernels
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
    /// Whether scales and minimums need not be rounded to anything.
    let isFree: Bool
    /// −1 or 1 in each lane: the sign of a free minimum.
    let minimumSigns: Lanes

    /// Whether the minimum is stored as a whole number of scales, so that both move together.
    private let storesZeroPoint: Bool
    let effort: SearchEffort
    /// Where the weight of largest magnitude is tried to fall, in levels.
    let targets: [Float]
    private let scratch = Matrix(rows: 15, columns: Tile.lanes)
    let zeros: Lanes
    let inverseScale: Lanes
    let scale: Lanes
    let minimum: Lanes
    let extreme: Lanes
    private let errors: Lanes
    let bestError: Lanes
    let sums: BlockSums

    package init(_ grid: LevelGrid, effort: SearchEffort = .thorough) {
        (self.grid, self.effort) = (grid, effort)
        isFree = grid.subBlocks != nil
        rounding = LevelRounding(grid.levels)
        targets = effort.targets(rounding)
        if case .grouped(let grouped) = grid.encoding {
            storesZeroPoint = grouped.offset == .zeroPoint
        } else {
            storesZeroPoint = false
        }
        (zeros, extreme, inverseScale) = (scratch.lanes(0), scratch.lanes(1), scratch.lanes(2))
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
        guard grid.storesHalves, !grid.hasMinimum else {
            return fitReference(block, scales: scales, minimums: minimums)
        }
        minimums.fillLanes(0)
        rounding.withKernelLevels {
            detent_half_scales(
                block.x, block.weights, block.count, Tile.lanes, targets, targets.count,
                effort.turns(rounding), $0, scales)
        }
    }

    /// The definition that `fit` must match bit for bit.
    func fitReference(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
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

    /// Keeps `scale` and `minimum`, rounded to what a file holds, in the lanes where nothing better is
    /// known.
    func offer(scales: Lanes, minimums: Lanes) {
        makeRepresentable()
        let (sums, scale, minimum, bestError) = (sums, scale, minimum, bestError)
        for lane in 0..<Tile.lanes {
            let error = sums.error(lane, scale: scale[lane], minimum: minimum[lane])
            let isBetter = error < bestError[lane]
            scales[lane] = isBetter ? scale[lane] : scales[lane]
            minimums[lane] = isBetter ? minimum[lane] : minimums[lane]
            bestError[lane] = isBetter ? error : bestError[lane]
        }
    }

    /// Rounds `scale` and `minimum` to what a file holds.
    private func makeRepresentable() {
        if grid.storesHalves {
            roundToHalves(scale)
            if grid.hasMinimum { roundToHalves(minimum) } else { minimum.fillLanes(0) }
            return
        }
        for lane in 0..<Tile.lanes {
            var stored = grid.representable(scale: scale[lane], minimum: minimum[lane])
            if storesZeroPoint, stored.scale != 0 {
                let fitted = scale(lane, withZeroPointOf: stored)
                stored = grid.representable(
                    scale: fitted, minimum: fitted * (stored.minimum / stored.scale))
            }
            (scale[lane], minimum[lane]) = stored
        }
    }

    /// The scale for the codes that the sums are of, the zero point being what `minimum` makes it.
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
        let turns = effort.turns(rounding)
        guard !isFree, turns > 0 else { return }
        let (scale, minimum, inverseScale) = (scale, minimum, inverseScale)
        let (errors, bestError) = (errors, bestError)
        bestError.fillLanes(.infinity)
        scale.copyLanes(scales)
        minimum.copyLanes(minimums)
        let last = turns - 1
        for round in 0...last {
            for lane in 0..<Tile.lanes { inverseScale[lane] = inverse(ofScale: scale[lane]) }
            errors.fillLanes(0)
            block.addErrors(
                scales: scale, minimums: minimum, inverseScales: inverseScale, rounding: rounding,
                to: errors)
            for lane in 0..<Tile.lanes {
                let isBetter = errors[lane] < bestError[lane]
                scales[lane] = isBetter ? scale[lane] : scales[lane]
                minimums[lane] = isBetter ? minimum[lane] : minimums[lane]
                bestError[lane] = isBetter ? errors[lane] : bestError[lane]
            }
            guard round < last else { return }
            collect(block, minimums: minimum)
            grid.hasMinimum ? setBestScalesAndMinimums() : setBestScales(otherwise: scale)
            makeRepresentable()
        }
    }

    /// Sets `scale` to what suits the codes that the sums are of.
    func setBestScales(otherwise others: UnsafePointer<Float>) {
        let (sums, scale) = (sums, scale)
        for lane in 0..<Tile.lanes {
            let (ll, lx) = (sums.ll[lane], sums.lx[lane])
            scale[lane] = ll > 0 ? lx / ll : others[lane]
        }
    }

    /// Sets `scale` and `minimum` to what suits the codes that the sums are of; weights that are all
    /// on one level determine no scale, and there both stay.
    func setBestScalesAndMinimums() {
        let (sums, scale, minimum) = (sums, scale, minimum)
        for lane in 0..<Tile.lanes {
            let (w, l, ll) = (sums.w[lane], sums.l[lane], sums.ll[lane])
            let (x, lx) = (sums.x[lane], sums.lx[lane])
            let determinant = w * ll - l * l
            let isDetermined = determinant > 1e-5 * w * ll
            let divisor = isDetermined ? determinant : 1
            scale[lane] = isDetermined ? (w * lx - l * x) / divisor : scale[lane]
            minimum[lane] = isDetermined ? (ll * x - l * lx) / divisor : minimum[lane]
        }
    }
}

/// Rounds numbers to the nearest finite halves, as `nearestFiniteHalf` does.
func roundToHalves(_ values: Lanes) {
    let limit = Float(Float16.greatestFiniteMagnitude)
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: Tile.lanes) { halves in
        guard let half = halves.baseAddress else { return }
        for lane in 0..<Tile.lanes {
            let value = values[lane]
            let above = value > -limit ? value : -limit
            let inside = above < limit ? above : limit
            values[lane] = value == value ? inside : 0
        }
        detent_f32_to_f16(values, half, Tile.lanes)
        detent_f16_to_f32(half, values, Tile.lanes)
    }
}
