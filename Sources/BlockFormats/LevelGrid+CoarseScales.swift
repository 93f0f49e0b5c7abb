/// Grids whose scales are so far apart that rounding a good one may give a bad one.
extension LevelGrid {
    /// The scales that a block might do well with whose largest weight has this magnitude, or nil
    /// where a file holds scales so finely that any will do.
    ///
    /// They reach from where the largest weight is well beyond the largest level, for the others'
    /// sake, to where it is short of it. Levels of these grids are each other's mirror image, and
    /// scales have no sign.
    package func coarseScales(forExtreme extreme: Float) -> [Float]? {
        guard case .block(.mxfp4) = encoding else { return nil }
        let exponent = Int(MXFP4.exponent(nearestTo: extreme.magnitude / 12))
        return (exponent - 1...exponent + 1).map {
            MXFP4.scale(ofExponent: UInt8(min(max($0, 0), 252)))
        }
    }
}
