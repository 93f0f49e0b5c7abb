import CKernels
import Kernels

/// The weights of a block and what errors in them count.
package struct WeightedBlock {
    let x: UnsafePointer<Float>
    let weights: UnsafePointer<Float>
    let count: Int

    /// - Parameters:
    ///   - x: (count, lanes), column after column.
    ///   - weights: what an error in each counts, likewise; not negative.
    ///   - count: columns.
    package init(x: UnsafePointer<Float>, weights: UnsafePointer<Float>, count: Int) {
        (self.x, self.weights, self.count) = (x, weights, count)
    }

    /// Columns `range` of the block.
    func part(_ range: Range<Int>) -> WeightedBlock {
        let start = range.lowerBound * Tile.lanes
        return WeightedBlock(x: x + start, weights: weights + start, count: range.count)
    }
}

/// Per lane, the sums that the error of a block is a quadratic function of, in scale and minimum.
///
/// With levels l: Σ w·(scale·l + minimum − x)².
struct BlockSums {
    let (w, x, xx): (Lanes, Lanes, Lanes)
    let (l, ll, lx): (Lanes, Lanes, Lanes)

    init(_ matrix: Matrix, from row: Int) {
        (w, x, xx) = (matrix.lanes(row), matrix.lanes(row + 1), matrix.lanes(row + 2))
        (l, ll, lx) = (matrix.lanes(row + 3), matrix.lanes(row + 4), matrix.lanes(row + 5))
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

    /// How many numbers per lane `saveLevelFree` saves.
    static let levelFreeCount = 3

    /// Keeps what `begin` made.
    func saveLevelFree(_ saved: Lanes) {
        for (place, lanes) in [w, x, xx].enumerated() {
            (saved + place * Tile.lanes).copyLanes(lanes)
        }
    }

    /// Starts over with what `begin` made of the block once.
    func restoreLevelFree(_ saved: UnsafePointer<Float>) {
        for (place, lanes) in [w, x, xx].enumerated() {
            lanes.copyLanes(saved + place * Tile.lanes)
        }
    }

    /// Rounds the block's weights at these minimums and scales, and sums over their levels.
    func collect(
        _ block: WeightedBlock, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, rounding: LevelRounding
    ) {
        rounding.withKernelLevels {
            detent_level_sums(
                block.x, block.weights, block.count, Tile.lanes, minimums, inverseScales, $0, l)
        }
    }

    /// The definition that `collect` must match bit for bit.
    func collectReference(
        _ block: WeightedBlock, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, rounding: LevelRounding
    ) {
        for lanes in [l, ll, lx] { lanes.fillLanes(0) }
        let levels = Matrix(rows: 1, columns: Tile.lanes)
        for column in 0..<block.count {
            let values = block.x + column * Tile.lanes
            let weights = block.weights + column * Tile.lanes
            rounding.round(
                values, minimums: minimums, inverseScales: inverseScales, into: levels.lanes(0))
            for lane in 0..<Tile.lanes {
                let weighted = weights[lane] * levels[0, lane]
                l[lane] += weighted
                ll[lane] += weighted * levels[0, lane]
                lx[lane] += weighted * values[lane]
            }
        }
    }

    @inline(__always)
    func error(_ lane: Int, scale: Float, minimum: Float) -> Float {
        let quadratic = scale * scale * ll[lane] - 2 * scale * lx[lane] + xx[lane]
        let shifted = minimum * w[lane] + 2 * (scale * l[lane] - x[lane])
        return quadratic + minimum * shifted
    }
}

extension WeightedBlock {
    /// Adds to `errors` what the block's weights lose when rounded at these scales and minimums.
    ///
    /// `BlockSums` tells that too, but as a difference of large numbers: not sharply enough to tell
    /// a scale that hits every weight exactly from its neighbours.
    func addErrors(
        scales: UnsafePointer<Float>, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, rounding: LevelRounding, to errors: Lanes
    ) {
        rounding.withKernelLevels {
            detent_level_errors(
                x, weights, count, Tile.lanes, scales, minimums, inverseScales, $0, errors)
        }
    }

    /// The definition that `addErrors` must match bit for bit.
    func addErrorsReference(
        scales: UnsafePointer<Float>, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, rounding: LevelRounding, to errors: Lanes
    ) {
        let numbers = Matrix(rows: 2, columns: Tile.lanes)
        let (levels, sums) = (numbers.lanes(0), numbers.lanes(1))
        for column in 0..<count {
            let (values, weight) = (x + column * Tile.lanes, weights + column * Tile.lanes)
            rounding.round(
                values, minimums: minimums, inverseScales: inverseScales, into: levels)
            for lane in 0..<Tile.lanes {
                let error = scales[lane] * levels[lane] + minimums[lane] - values[lane]
                sums[lane] += weight[lane] * error * error
            }
        }
        for lane in 0..<Tile.lanes { errors[lane] += sums[lane] }
    }
}
