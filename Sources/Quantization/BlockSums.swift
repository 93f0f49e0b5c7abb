import Kernels

/// The weights of a block and what errors in them count.
struct WeightedBlock {
    let x: UnsafePointer<Float>
    let weights: UnsafePointer<Float>
    let count: Int
}

/// Per lane, the sums that the error of a block is a quadratic function of, in scale and minimum.
///
/// With levels l: Σ w·(scale·l + minimum − x)².
struct BlockSums {
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
