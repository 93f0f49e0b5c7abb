import Kernels

extension ScaleSearch {
    /// Tries scales at which the weight of largest magnitude falls on or about either end of the
    /// levels. Both ends, because they are not each other's mirror image: Q4_0 has −8 but not 8.
    func fitSymmetric(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        let extreme = minimum
        extreme.fillLanes(0)
        for column in 0..<block.count {
            let x = block.x + column * Tile.lanes
            for lane in 0..<Tile.lanes {
                let isLarger = x[lane].magnitude > extreme[lane].magnitude
                extreme[lane] = isLarger ? x[lane] : extreme[lane]
            }
        }
        sums.begin(block)
        if grid.coarseScales(forExtreme: 1) != nil {
            return fitCoarse(block, extremes: extreme, scales: scales, minimums: minimums)
        }
        for target in Self.targets(rounding) {
            for lane in 0..<Tile.lanes {
                inverseScale[lane] = target * inverse(ofScale: extreme[lane])
            }
            collect(block, minimums: zeros)
            if isFree {
                offerFreely(scales: scales)
                continue
            }
            for lane in 0..<Tile.lanes {
                let fitted = sums.ll[lane] > 0 ? sums.lx[lane] / sums.ll[lane] : 0
                offer(lane, scale: fitted, minimum: 0, scales: scales, minimums: minimums)
            }
        }
    }

    /// Where the extreme weight is tried to fall, in levels.
    ///
    /// Beyond the end: the extreme is clipped and the others are resolved more finely. Short of it:
    /// the rounding may happen to fit better. The more levels there are, the less of either pays.
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

    /// Tries ranges somewhat wider and narrower than the block's own, with and without zero in
    /// them.
    func fitWithMinimum(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
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

    /// How many levels a block's range is spread over, beyond those that there are, and what stays
    /// in its place: the lowest weight (0), the highest (1), or the middle between them.
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
            if isFree {
                offerFreely(scales: scales, minimums: minimums)
                continue
            }
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
}
