import Kernels

/// Chooses the units of one super-block in every lane of a tile, and the scales and minimums of its
/// sub-blocks.
///
/// What is minimized is Σ weight · (x − x̂)² over the super-block. First each sub-block gets the scale
/// that it would like best. Then units are tried that put the largest scale at or about the end of
/// the codes' range, and judged by what the weights cost with the scales that these units have.
/// Then sub-blocks and units take turns: each sub-block tries the codes about its own, and the units
/// move to where they suit the codes and levels best.
///
/// A search belongs to one thread; it owns the memory that it works in.
package final class SuperBlockSearch {
    package let grid: LevelGrid
    let subBlocks: LevelGrid.SubBlocks
    /// Fits sub-blocks without regard to units.
    package let freely: ScaleSearch
    let effort: SearchEffort

    private let scratch: Matrix
    /// What the sub-blocks would like: (subBlocks, lanes).
    let freeScales: Lanes
    let freeMinimums: Lanes
    /// What their scales and minimums cost: (subBlocks, lanes).
    let errors: Lanes
    let trial: Trial
    /// The best sum of errors over all sub-blocks.
    let bestError: Lanes
    /// The sums of each sub-block that do not depend on levels.
    private let levelFreeSums: Matrix

    /// A candidate: one number per lane of each.
    struct Trial {
        let (unit, minimumUnit): (Lanes, Lanes)
        let (scale, minimum, inverseScale, inverseUnit): (Lanes, Lanes, Lanes, Lanes)
        let (error, largest): (Lanes, Lanes)
        /// (subBlocks, lanes)
        let (scales, minimums, errors): (Lanes, Lanes, Lanes)
    }

    /// The units of a super-block and, (subBlocks, lanes), the scales and minimums of its sub-blocks.
    package struct Fit {
        let (unit, minimumUnit, scales, minimums): (Lanes, Lanes, Lanes, Lanes)

        package init(unit: Lanes, minimumUnit: Lanes, scales: Lanes, minimums: Lanes) {
            (self.unit, self.minimumUnit) = (unit, minimumUnit)
            (self.scales, self.minimums) = (scales, minimums)
        }

        func scale(_ subBlock: Int) -> Lanes { scales + subBlock * Tile.lanes }
        func minimum(_ subBlock: Int) -> Lanes { minimums + subBlock * Tile.lanes }
    }

    /// Makes a search for a grid, or nil for one without sub-blocks.
    package init?(_ grid: LevelGrid, effort: SearchEffort = .thorough) {
        guard let subBlocks = grid.subBlocks else { return nil }
        (self.grid, self.subBlocks, self.effort) = (grid, subBlocks, effort)
        freely = ScaleSearch(grid, effort: effort)
        let count = subBlocks.count
        let scratch = Matrix(rows: 6 * count + 9, columns: Tile.lanes)
        self.scratch = scratch
        func lanes(_ row: Int) -> Lanes { scratch.lanes(6 * count + row) }
        freeScales = scratch.lanes(0)
        freeMinimums = scratch.lanes(count)
        errors = scratch.lanes(2 * count)
        trial = Trial(
            unit: lanes(0), minimumUnit: lanes(1), scale: lanes(2), minimum: lanes(3),
            inverseScale: lanes(4), inverseUnit: lanes(5), error: lanes(6), largest: lanes(7),
            scales: scratch.lanes(3 * count), minimums: scratch.lanes(4 * count),
            errors: scratch.lanes(5 * count))
        bestError = lanes(8)
        levelFreeSums = Matrix(rows: count, columns: BlockSums.levelFreeCount * Tile.lanes)
    }

    /// Fits a whole super-block.
    package func fit(_ block: WeightedBlock, _ fit: Fit) {
        chooseSigns(block)
        for subBlock in 0..<subBlocks.count {
            freely.fit(
                part(subBlock, of: block), scales: freeScales + subBlock * Tile.lanes,
                minimums: freeMinimums + subBlock * Tile.lanes)
            if grid.hasMinimum { freely.sums.saveLevelFree(levelFreeSums.lanes(subBlock)) }
        }
        chooseUnit(block, fit)
        if grid.hasMinimum { chooseMinimumUnit(block, fit) }
        measure(block, fit)
        refineCodes(block, fit, reach: effort.reach)
        for _ in 0..<effort.unitTurns(grid) {
            refitUnits(block, fit)
            refineCodes(block, fit, reach: 1)
        }
    }

    /// Fits one sub-block, the units of the super-block being what they are.
    package func fit(_ subBlock: Int, _ block: WeightedBlock, _ fit: Fit) {
        for lane in 0..<Tile.lanes {
            freely.minimumSigns[lane] = fit.minimumUnit[lane] < 0 ? 1 : -1
        }
        freely.fit(block, scales: fit.scale(subBlock), minimums: fit.minimum(subBlock))
        round(fit.scale(subBlock), to: subBlocks.scaleCodes, unit: fit.unit)
        if grid.hasMinimum {
            round(
                fit.minimum(subBlock), to: subBlocks.minimumCodes, unit: fit.minimumUnit,
                negated: true)
        }
        let error = errors + subBlock * Tile.lanes
        error.fillLanes(0)
        addErrors(block, scale: fit.scale(subBlock), minimum: fit.minimum(subBlock), to: error)
        refineCodes(subBlock, block, fit, reach: 2)
    }

    func part(_ subBlock: Int, of block: WeightedBlock) -> WeightedBlock {
        let start = subBlock * subBlocks.weightCount
        return block.part(start..<start + subBlocks.weightCount)
    }

    /// Minimums are subtracted: they are zero or less, but where every weight of the super-block is
    /// positive. Then a negative unit makes them positive.
    private func chooseSigns(_ block: WeightedBlock) {
        guard grid.hasMinimum else { return }
        let signs = freely.minimumSigns
        signs.copyLanes(block.x)
        for column in 1..<max(block.count, 1) {
            let x = block.x + column * Tile.lanes
            for lane in 0..<Tile.lanes {
                signs[lane] = x[lane] > signs[lane] ? signs[lane] : x[lane]
            }
        }
        for lane in 0..<Tile.lanes { signs[lane] = signs[lane] > 0 ? 1 : -1 }
    }
}

// MARK: Steps that the others are made of

extension SuperBlockSearch {
    /// Rounds numbers to a whole number of units: to a code of `codes`, or to the negative of one.
    func round(_ values: Lanes, to codes: ClosedRange<Int>, unit: Lanes, negated: Bool = false) {
        let sign: Float = negated ? -1 : 1
        let (lowest, highest) = (Float(codes.lowerBound), Float(codes.upperBound))
        for lane in 0..<Tile.lanes {
            let inverseUnit = sign * inverse(ofScale: unit[lane])
            let code = nearestCode(values[lane] * inverseUnit, lowest, highest)
            values[lane] = sign * unit[lane] * code
        }
    }

    func addErrors(_ block: WeightedBlock, scale: Lanes, minimum: Lanes, to errors: Lanes) {
        let inverseScale = trial.inverseScale
        for lane in 0..<Tile.lanes { inverseScale[lane] = inverse(ofScale: scale[lane]) }
        block.addErrors(
            scales: scale, minimums: minimum, inverseScales: inverseScale,
            rounding: freely.rounding, to: errors)
    }

    /// Brings `errors` and `bestError` up to the present scales and minimums.
    func measure(_ block: WeightedBlock, _ fit: Fit) {
        bestError.fillLanes(0)
        for subBlock in 0..<subBlocks.count {
            let error = errors + subBlock * Tile.lanes
            error.fillLanes(0)
            addErrors(
                part(subBlock, of: block), scale: fit.scale(subBlock),
                minimum: fit.minimum(subBlock), to: error)
            for lane in 0..<Tile.lanes { bestError[lane] += error[lane] }
        }
    }

    /// Rounds units to finite halves. One that is not zero does not become zero: coarse scales are
    /// better than none.
    func roundUnits(_ units: Lanes) {
        let least: Float = 0x1p-24
        for lane in 0..<Tile.lanes {
            let magnitude = units[lane].magnitude
            let raised = magnitude > least ? magnitude : least
            let unit = units[lane] < 0 ? -raised : raised
            // NaN is neither.
            units[lane] = magnitude > 0 ? unit : 0
        }
        roundToHalves(units)
    }

    /// Rounds a sub-block's weights at these minimums and `trial.inverseScale`, and sums over their
    /// levels; over the weights themselves only where there are minimums.
    func collect(_ subBlock: Int, of block: WeightedBlock, minimums: UnsafePointer<Float>) {
        if grid.hasMinimum { freely.sums.restoreLevelFree(levelFreeSums.lanes(subBlock)) }
        freely.sums.collect(
            part(subBlock, of: block), minimums: minimums, inverseScales: trial.inverseScale,
            rounding: freely.rounding)
    }
}

/// The nearest whole number of a range; the lowest for NaN.
@inline(__always)
func nearestCode(_ value: Float, _ lowest: Float, _ highest: Float) -> Float {
    let above = value > lowest ? value : lowest
    let inside = above < highest ? above : highest
    return (inside + 12_582_912) - 12_582_912  // 1.5 · 2²³: its last place is 1
}

extension LevelGrid.SubBlocks {
    /// The whole number of units nearest to `value`, of those that codes can say.
    package func nearest(to value: Float, unit: Float, codes: ClosedRange<Int>) -> Float {
        let inverseUnit = inverse(ofScale: unit)
        return unit
            * nearestCode(
                value * inverseUnit, Float(codes.lowerBound), Float(codes.upperBound))
    }
}
