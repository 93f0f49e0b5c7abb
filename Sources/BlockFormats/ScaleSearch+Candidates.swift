import Kernels

extension ScaleSearch {
    /// Tries scales at which the weight of largest magnitude falls on or about either end of the
    /// levels. Both ends, because they are not each other's mirror image: Q4_0 has −8 but not 8.
    func fitSymmetric(_ block: WeightedBlock, scales: Lanes, minimums: Lanes) {
        if isFree {
            return block.chooseScales(
                targets: targets, rounding: rounding, into: scales)
        }
        let extreme = extreme
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
        minimum.fillLanes(0)
        let inverseScale = inverseScale
        for target in targets {
            for lane in 0..<Tile.lanes {
                inverseScale[lane] = target * inverse(ofScale: extreme[lane])
            }
            collect(block, minimums: zeros)
            setBestScales(otherwise: zeros)
            offer(scales: scales, minimums: minimums)
        }
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
            let hasRangeWithoutZero = (0..<Tile.lanes).contains { low[$0] > 0 || high[$0] < 0 }
            guard hasRangeWithoutZero else { return }
            for lane in 0..<Tile.lanes {
                low[lane] = low[lane] < 0 ? low[lane] : 0
                high[lane] = high[lane] > 0 ? high[lane] : 0
            }
            tryRanges(block, low: low, high: high, scales: scales, minimums: minimums)
        }
    }

    private func tryRanges(
        _ block: WeightedBlock, low: Lanes, high: Lanes, scales: Lanes, minimums: Lanes
    ) {
        let (lowest, highest) = rounding.bounds
        let (scale, minimum, inverseScale) = (scale, minimum, inverseScale)
        for (surplus, anchor) in SearchEffort.spreads {
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
            setBestScalesAndMinimums()
            offer(scales: scales, minimums: minimums)
        }
    }
}
