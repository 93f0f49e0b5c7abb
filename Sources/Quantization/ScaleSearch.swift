import BlockFormats
import Kernels
import TensorIR

/// Chooses the scale, and the minimum, of one block in every lane of a tile.
///
/// What is minimized is Σ weight · (x − x̂)², x̂ being what the file will say. Rounding makes that a
/// function of the scale with many local minima, so the search tries a list of scales: each gives
/// codes, the codes give the scale that suits them best in closed form, and that scale is rounded to
/// what the file can hold before it is judged. The winner is then improved by taking turns: codes for
/// the scale, scale for the codes.
///
/// A search belongs to one thread; it owns the memory that it works in.
final class ScaleSearch {
    let grid: LevelGrid
    let rounding: LevelRounding
    /// Rounds of codes and scale taking turns, at the end.
    let refinements = 4

    /// Whether the minimum is stored as a whole number of scales, so that both move together.
    private let storesZeroPoint: Bool
    private let scratch = Matrix(rows: 16, columns: Tile.lanes)
    private let zeros: Lanes
    private let levels: Lanes
    private let inverseScale: Lanes
    private let scale: Lanes
    private let minimum: Lanes
    private let errors: Lanes
    private let bestError: Lanes
    private let sums: Sums

    init(_ grid: LevelGrid) {
        self.grid = grid
        rounding = LevelRounding(grid.levels)
        if case .grouped(let grouped) = grid.encoding {
            storesZeroPoint = grouped.offset == .zeroPoint
        } else {
            storesZeroPoint = false
        }
        (zeros, levels, inverseScale) = (scratch.lanes(0), scratch.lanes(1), scratch.lanes(2))
        (scale, minimum, bestError) = (scratch.lanes(3), scratch.lanes(4), scratch.lanes(5))
        errors = scratch.lanes(6)
        sums = Sums(scratch, from: 7)
    }

    /// Fits one block.
    /// - Parameters:
    ///   - x, weights: (count, lanes), column after column; the weights are not negative.
    ///   - scales, minimums: receive the result.
    func fit(
        _ x: UnsafePointer<Float>, weights: UnsafePointer<Float>, count: Int, scales: Lanes,
        minimums: Lanes
    ) {
        bestError.fillLanes(.infinity)
        scales.fillLanes(0)
        minimums.fillLanes(0)
        let block = WeightedBlock(x: x, weights: weights, count: count)
        if grid.hasMinimum {
            fitWithMinimum(block, scales: scales, minimums: minimums)
        } else {
            fitSymmetric(block, scales: scales, minimums: minimums)
        }
        refine(block, scales: scales, minimums: minimums)
    }
}

/// The weights of a block and what errors in them count.
struct WeightedBlock {
    let x: UnsafePointer<Float>
    let weights: UnsafePointer<Float>
    let count: Int
}

/// Per lane, the sums that the error of a block is a quadratic function of, in scale and minimum.
///
/// With levels l: Σ w·(scale·l + minimum − x)².
private struct Sums {
    let (w, l, ll, x, lx, xx): (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes)

    init(_ matrix: Matrix, from row: Int) {
        (w, l, ll) = (matrix.lanes(row), matrix.lanes(row + 1), matrix.lanes(row + 2))
        (x, lx, xx) = (matrix.lanes(row + 3), matrix.lanes(row + 4), matrix.lanes(row + 5))
    }

    /// Starts over with what does not depend on levels.
    func begin(_ block: WeightedBlock) {
        for lanes in [w, x, xx] { lanes.fillLanes(0) }
        for column in 0..<block.count {
            let values = block.x + column * Tile.lanes
            let weights = block.weights + column * Tile.lanes
            for lane in 0..<Tile.lanes {
                let weighted = weights[lane] * values[lane]
                w[lane] += weights[lane]
                x[lane] += weighted
                xx[lane] += weighted * values[lane]
            }
        }
    }

    @inline(__always)
    func beginLevels() {
        for lanes in [l, ll, lx] { lanes.fillLanes(0) }
    }

    @inline(__always)
    func add(levels: Lanes, _ values: UnsafePointer<Float>, _ weights: UnsafePointer<Float>) {
        for lane in 0..<Tile.lanes {
            let weighted = weights[lane] * levels[lane]
            l[lane] += weighted
            ll[lane] += weighted * levels[lane]
            lx[lane] += weighted * values[lane]
        }
    }

    @inline(__always)
    func error(_ lane: Int, scale: Float, minimum: Float) -> Float {
        let quadratic = scale * scale * ll[lane] - 2 * scale * lx[lane] + xx[lane]
        let shifted = minimum * w[lane] + 2 * (scale * l[lane] - x[lane])
        return quadratic + minimum * shifted
    }
}

extension ScaleSearch {
    /// Tries scales at which the weight of largest magnitude falls on or about either end of the
    /// levels. Both ends, because they are not each other's mirror image: Q4_0 has −8 but not 8.
    private func fitSymmetric(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        let extreme = minimum
        extreme.fillLanes(0)
        for column in 0..<block.count {
            let x = block.x + column * Tile.lanes
            for lane in 0..<Tile.lanes {
                extreme[lane] = x[lane].magnitude > extreme[lane].magnitude ? x[lane] : extreme[lane]
            }
        }
        sums.begin(block)
        for target in Self.targets(rounding) {
            for lane in 0..<Tile.lanes { inverseScale[lane] = target * inverse(ofScale: extreme[lane]) }
            collect(block, minimums: zeros)
            for lane in 0..<Tile.lanes {
                let fitted = sums.ll[lane] > 0 ? sums.lx[lane] / sums.ll[lane] : 0
                offer(lane, scale: fitted, minimum: 0, scales: scales, minimums: minimums)
            }
        }
    }

    /// Where the extreme weight is tried to fall, in levels.
    ///
    /// Beyond the end: the extreme is clipped and the others are resolved more finely. Short of it: the
    /// rounding may happen to fit better. The more levels there are, the less of either pays.
    static func targets(_ rounding: LevelRounding) -> [Float] {
        let bounds = rounding.bounds
        let span = max(-bounds.lowest, bounds.highest) / rounding.spacing
        let outward = min(max(0.28 * span, 1.5), 4.5) * rounding.spacing
        let inward = min(max(0.18 * span, 1), 3) * rounding.spacing
        func around(_ end: Float, steps: Int) -> [Float] {
            let length = end.magnitude
            return (0..<steps).map { step in
                let position = Float(step) / Float(steps - 1)
                let target = max(length - inward + position * (inward + outward), length / 3)
                return end < 0 ? -target : target
            }
        }
        var targets = around(bounds.lowest, steps: 14)
        if bounds.lowest != -bounds.highest { targets += around(bounds.highest, steps: 12) }
        return targets + [bounds.lowest, bounds.highest]
    }

    /// Tries ranges somewhat wider and narrower than the block's own, with and without zero in them.
    private func fitWithMinimum(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * Tile.lanes) { ends in
            guard let low = ends.baseAddress else { return }
            let high = low + Tile.lanes
            low.copyLanes(block.x)
            high.copyLanes(block.x)
            for column in 1..<max(block.count, 1) {
                let x = block.x + column * Tile.lanes
                for lane in 0..<Tile.lanes {
                    low[lane] = x[lane] < low[lane] ? x[lane] : low[lane]
                    high[lane] = x[lane] > high[lane] ? x[lane] : high[lane]
                }
            }
            sums.begin(block)
            tryRanges(block, low: low, high: high, scales: scales, minimums: minimums)
            for lane in 0..<Tile.lanes {
                low[lane] = low[lane] < 0 ? low[lane] : 0
                high[lane] = high[lane] > 0 ? high[lane] : 0
            }
            tryRanges(block, low: low, high: high, scales: scales, minimums: minimums)
        }
    }

    /// How many levels a block's range is spread over, beyond those that there are, and what stays in its
    /// place: the lowest weight (0), the highest (1), or the middle between them.
    private static let spreads: [(surplus: Float, anchor: Float)] = [
        (0, 0), (0.15, 0.5), (0.3, 0.5), (0.5, 0.5), (0.75, 0.5), (1, 0.5), (1.4, 0.5),
        (0.5, 0), (0.5, 1), (-0.3, 0), (-0.6, 0), (-1, 0), (-0.3, 1), (-0.6, 1),
    ]

    private func tryRanges(
        _ block: WeightedBlock, low: Lanes, high: Lanes, scales: Lanes, minimums: Lanes
    ) {
        let (lowest, highest) = rounding.bounds
        for (surplus, anchor) in Self.spreads {
            let spread = highest - lowest + surplus
            for lane in 0..<Tile.lanes {
                inverseScale[lane] = spread * inverse(ofScale: high[lane] - low[lane])
                scale[lane] = inverse(ofScale: inverseScale[lane])
                let atLow = low[lane] - lowest * scale[lane]
                let atHigh = high[lane] - highest * scale[lane]
                minimum[lane] = atLow + anchor * (atHigh - atLow)
            }
            collect(block, minimums: minimum)
            for lane in 0..<Tile.lanes {
                let (w, l, ll) = (sums.w[lane], sums.l[lane], sums.ll[lane])
                let (x, lx) = (sums.x[lane], sums.lx[lane])
                let determinant = w * ll - l * l
                // All weights on one level determine no scale; then the range's own will do.
                guard determinant > 1e-5 * w * ll else {
                    offer(
                        lane, scale: scale[lane], minimum: minimum[lane], scales: scales,
                        minimums: minimums)
                    continue
                }
                offer(
                    lane, scale: (w * lx - l * x) / determinant,
                    minimum: (ll * x - l * lx) / determinant, scales: scales, minimums: minimums)
            }
        }
    }

    /// Codes for the current inverse scales, and their sums.
    ///
    /// - Parameter errors: receives the errors of these codes at the current scale. The sums tell them
    ///   too, but as a difference of large numbers: not sharply enough to tell a scale that hits
    ///   every weight exactly from its neighbours.
    @inline(__always)
    private func collect(
        _ block: WeightedBlock, minimums: UnsafePointer<Float>,
        addingErrorsTo errors: Lanes? = nil
    ) {
        sums.beginLevels()
        for column in 0..<block.count {
            let x = block.x + column * Tile.lanes
            let weights = block.weights + column * Tile.lanes
            rounding.round(x, minimums: minimums, inverseScales: inverseScale, into: levels)
            sums.add(levels: levels, x, weights)
            guard let errors else { continue }
            for lane in 0..<Tile.lanes {
                let error = scale[lane] * levels[lane] + minimums[lane] - x[lane]
                errors[lane] += weights[lane] * error * error
            }
        }
    }

    /// Keeps a scale and minimum, rounded to what a file holds, if nothing better is known.
    @inline(__always)
    private func offer(
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
    private func scale(_ lane: Int, withZeroPointOf stored: (scale: Float, minimum: Float)) -> Float {
        // x̂ = scale · (l + ratio)
        let ratio = stored.minimum / stored.scale
        let square = sums.ll[lane] + ratio * (2 * sums.l[lane] + ratio * sums.w[lane])
        return square > 0 ? (sums.lx[lane] + ratio * sums.x[lane]) / square : stored.scale
    }

    /// Codes for the scale, scale for the codes, and again; judged by the codes that each scale gets.
    private func refine(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        let (hasMinimum, grid) = (grid.hasMinimum, grid)
        bestError.fillLanes(.infinity)
        scale.copyLanes(scales)
        minimum.copyLanes(minimums)
        for _ in 0..<refinements {
            for lane in 0..<Tile.lanes { inverseScale[lane] = inverse(ofScale: scale[lane]) }
            errors.fillLanes(0)
            collect(block, minimums: minimum, addingErrorsTo: errors)
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
