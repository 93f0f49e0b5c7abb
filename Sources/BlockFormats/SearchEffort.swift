/// How many candidates a search for scales looks at.
package enum SearchEffort: Sendable {
    /// Wherever it pays.
    case thorough
    /// Nearly as good in a fraction of the time.
    case quick
}

extension SearchEffort {
    /// Times that codes and scales, or sub-blocks and units, take turns at the end.
    func refinements(of grid: LevelGrid) -> Int { grid.subBlocks == nil ? 4 : 2 }

    /// How far codes of sub-blocks are tried from where they are, at first.
    var reach: Int { 2 }
    /// Where the extreme weight is tried to fall, in levels.
    ///
    /// Beyond the end: the extreme is clipped and the others are resolved more finely. Short of it:
    /// the rounding may happen to fit better. The more levels there are, the less of either pays.
    func targets(_ rounding: LevelRounding) -> [Float] {
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

    /// How many levels a block's range is spread over, beyond those that there are, and what stays
    /// in its place: the lowest weight (0), the highest (1), or the middle between them.
    var spreads: [(surplus: Float, anchor: Float)] {
  [
        (0, 0), (0.15, 0.5), (0.3, 0.5), (0.5, 0.5), (0.75, 0.5), (1, 0.5), (1.4, 0.5),
        (0.5, 0), (0.5, 1), (-0.3, 0), (-0.6, 0), (-1, 0), (-0.3, 1), (-0.6, 1),
    ]
}

    /// Where the largest of the sub-blocks' scales may fall, as parts of the codes' range.
    ///
    /// Short of the end, the others may happen to fall better. Beyond it the largest is clipped, and
    /// the others are resolved more finely.
    private static let unitParts: [Float] = [
        1, 0.97, 0.94, 0.91, 0.88, 0.84, 0.8, 0.75, 0.7, 1.03, 1.07, 1.12, 1.25,
    ]

    func targets(_ codes: ClosedRange<Int>) -> [Float] {
        // With so many codes all of them are about as good.
        let parts = codes.count > 128 ? Array(Self.unitParts.prefix(4)) : Self.unitParts
        let ends = [codes.upperBound, codes.lowerBound].filter { $0 != 0 }
        return ends.flatMap { end in parts.map { $0 * Float(end) } }
    }
}
