/// How many candidates a search for scales looks at.
package enum SearchEffort: Sendable {
    /// As many as pay.
    case thorough
    /// A few, for weights that all count alike: within 1.5 % of the squared error of a thorough search.
    case quick
}

// MARK: Blocks without a minimum

extension SearchEffort {
    /// Where the extreme weight is tried to fall, in levels.
    ///
    /// Beyond the end: the extreme is clipped and the others are resolved more finely. Short of it:
    /// the rounding may happen to fit better. The more levels there are, the less of either pays.
    func targets(_ rounding: LevelRounding) -> [Float] {
        if self == .quick, rounding.isUniform { return Self.fewTargets(rounding) }
        let bounds = rounding.bounds
        if rounding.hasManyLevels {
            // With so many levels any scale is about as good as its neighbours, and each is another chance.
            return (0..<8).map { bounds.lowest + 2.5 * Float($0) }
        }
        if rounding.isUniform, bounds.highest > 24 { return Self.inside(bounds, steps: 8) }
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

    /// The ends, and steps beyond and short of them.
    private static func fewTargets(_ rounding: LevelRounding) -> [Float] {
        let bounds = rounding.bounds
        return switch max(-bounds.lowest, bounds.highest) {
        case ..<12: around(bounds, [0, 0.5, 1, -0.5])
        case ..<24: around(bounds, [0, 0.5, 1, -0.5, -1, -1.5])
        default: inside(bounds, steps: 7)
        }
    }

    /// The ends, and steps short of them: among many levels clipping does not pay at all, but each scale is
    /// another chance.
    private static func inside(_ bounds: (lowest: Float, highest: Float), steps: Int) -> [Float] {
        around(bounds, (0..<steps).map { -Float($0) })
    }

    private static func around(
        _ bounds: (lowest: Float, highest: Float), _ steps: [Float]
    ) -> [Float] {
        let atLowest = steps.map { bounds.lowest - $0 }
        // A grid that is its own mirror image has the same scales at both ends.
        return bounds.lowest == -bounds.highest
            ? atLowest : atLowest + steps.map { bounds.highest + $0 }
    }
}

// MARK: Blocks with a minimum

extension SearchEffort {
    /// How many levels a block's range is spread over, beyond those that there are, and what stays
    /// in its place: the lowest weight (0), the highest (1), or the middle between them.
    static let spreads: [(surplus: Float, anchor: Float)] = [
        (0, 0), (0.15, 0.5), (0.3, 0.5), (0.5, 0.5), (0.75, 0.5), (1, 0.5), (1.4, 0.5),
        (0.5, 0), (0.5, 1), (-0.3, 0), (-0.6, 0), (-1, 0), (-0.3, 1), (-0.6, 1),
    ]
}

// MARK: Units of super-blocks

extension SearchEffort {
    /// Where the largest of the sub-blocks' scales may fall, as parts of the codes' range.
    ///
    /// Short of the end, the others may happen to fall better. Beyond it the largest is clipped, and
    /// the others are resolved more finely.
    private static let unitParts: [Float] = [
        1, 0.97, 0.94, 0.91, 0.88, 0.84, 0.8, 0.75, 0.7, 1.03, 1.07, 1.12, 1.25,
    ]

    /// Where the largest of the sub-blocks' scales, or minimums, is tried to fall.
    func unitTargets(_ codes: ClosedRange<Int>) -> [Float] {
        let ends = [codes.upperBound, codes.lowerBound].filter { $0 != 0 }.map { Float($0) }
        switch self {
        case .thorough:
            // With so many codes all of them are about as good.
            let parts = codes.count > 128 ? Array(Self.unitParts.prefix(4)) : Self.unitParts
            return ends.flatMap { end in parts.map { $0 * end } }
        case .quick:
            // Where scales have signs, the largest may be either.
            return ends.count == 1 ? Self.unitParts.prefix(6).map { $0 * ends[0] } : [ends[1]]
        }
    }

    /// How far from their own the codes of a sub-block are tried, once the units are chosen.
    var reach: Int { self == .thorough ? 2 : 1 }
}

// MARK: Turns at the end

extension SearchEffort {
    /// Times that codes and scale of a block take turns; among many levels that does not pay.
    func turns(_ rounding: LevelRounding) -> Int {
        self == .quick ? 2 : rounding.hasManyLevels ? 0 : 4
    }

    /// Times that sub-blocks and units take turns after the first.
    func unitTurns(_ grid: LevelGrid) -> Int {
        switch self {
        case .thorough: 2
        case .quick: grid.hasMinimum ? 1 : 0
        }
    }
}
