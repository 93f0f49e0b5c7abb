import Kernels

extension ScaleSearch {
    /// Tries the few scales that there are, each with the codes that suit it: the codes of a scale
    /// that has to be rounded would suit another one.
    func fitCoarse(
        _ block: WeightedBlock, extremes: UnsafePointer<Float>, scales: Lanes, minimums: Lanes
    ) {
        let candidates = (0..<Tile.lanes).map {
            grid.coarseScales(forExtreme: extremes[$0]) ?? []
        }
        for index in 0..<(candidates[0].count) {
            for lane in 0..<Tile.lanes {
                scale[lane] = candidates[lane][index]
                inverseScale[lane] = inverse(ofScale: scale[lane])
            }
            collect(block, minimums: zeros)
            offer(scales: scales, minimums: minimums)
        }
    }
}
