import Kernels

extension SuperBlockSearch {
    /// Where the largest of the sub-blocks' scales may fall, as parts of the codes' range.
    ///
    /// Short of the end, the others may happen to fall better. Beyond it the largest is clipped, and
    /// the others are resolved more finely.
    private static let parts: [Float] = [
        1, 0.97, 0.94, 0.91, 0.88, 0.84, 0.8, 0.75, 0.7, 1.03, 1.07, 1.12, 1.25,
    ]

    private static func targets(_ codes: ClosedRange<Int>) -> [Float] {
        // With so many codes all of them are about as good.
        let parts = codes.count > 128 ? Array(parts.prefix(4)) : parts
        let ends = [codes.upperBound, codes.lowerBound].filter { $0 != 0 }
        return ends.flatMap { end in parts.map { $0 * Float(end) } }
    }

    /// Tries units for the scales; minimums are free yet.
    func chooseUnit(_ block: WeightedBlock, _ fit: Fit) {
        let largest = trial.largest
        takeLargest(of: freeScales, into: largest)
        bestError.fillLanes(.infinity)
        fit.unit.fillLanes(0)
        for target in Self.targets(subBlocks.scaleCodes) {
            for lane in 0..<Tile.lanes { trial.unit[lane] = largest[lane] / target }
            roundUnits(trial.unit)
            trial.error.fillLanes(0)
            for subBlock in 0..<subBlocks.count {
                let part = part(subBlock, of: block)
                setTrialScale(subBlock, unit: trial.unit)
                if grid.hasMinimum {
                    fitTrialMinimum(subBlock, part)
                    for lane in 0..<Tile.lanes {
                        trial.error[lane] += freely.sums.error(
                            lane, scale: trial.scale[lane], minimum: trial.minimum[lane])
                    }
                } else {
                    trial.minimum.fillLanes(0)
                    addErrors(part, scale: trial.scale, minimum: trial.minimum, to: trial.error)
                }
            }
            keepIfBetter(trial.unit, as: fit.unit)
        }
        for subBlock in 0..<subBlocks.count {
            setTrialScale(subBlock, unit: fit.unit)
            fit.scale(subBlock).copyLanes(trial.scale)
            guard grid.hasMinimum else {
                fit.minimum(subBlock).fillLanes(0)
                continue
            }
            fitTrialMinimum(subBlock, part(subBlock, of: block))
            (freeMinimums + subBlock * Tile.lanes).copyLanes(trial.minimum)
        }
        fit.minimumUnit.fillLanes(0)
    }

    /// Tries units for the minimums, the scales being fixed.
    func chooseMinimumUnit(_ block: WeightedBlock, _ fit: Fit) {
        let largest = trial.largest
        takeLargest(of: freeMinimums, into: largest)
        bestError.fillLanes(.infinity)
        for target in Self.targets(subBlocks.minimumCodes) {
            for lane in 0..<Tile.lanes { trial.minimumUnit[lane] = -largest[lane] / target }
            roundUnits(trial.minimumUnit)
            trial.error.fillLanes(0)
            for subBlock in 0..<subBlocks.count {
                setTrialMinimum(subBlock, unit: trial.minimumUnit)
                addErrors(
                    part(subBlock, of: block), scale: fit.scale(subBlock), minimum: trial.minimum,
                    to: trial.error)
            }
            keepIfBetter(trial.minimumUnit, as: fit.minimumUnit)
        }
        for subBlock in 0..<subBlocks.count {
            setTrialMinimum(subBlock, unit: fit.minimumUnit)
            fit.minimum(subBlock).copyLanes(trial.minimum)
        }
    }

    private func takeLargest(of values: Lanes, into largest: Lanes) {
        largest.fillLanes(0)
        for subBlock in 0..<subBlocks.count {
            let value = values + subBlock * Tile.lanes
            for lane in 0..<Tile.lanes {
                let isLarger = value[lane].magnitude > largest[lane].magnitude
                largest[lane] = isLarger ? value[lane] : largest[lane]
            }
        }
    }

    private func setTrialScale(_ subBlock: Int, unit: Lanes) {
        trial.scale.copyLanes(freeScales + subBlock * Tile.lanes)
        round(trial.scale, to: subBlocks.scaleCodes, unit: unit)
    }

    private func setTrialMinimum(_ subBlock: Int, unit: Lanes) {
        trial.minimum.copyLanes(freeMinimums + subBlock * Tile.lanes)
        round(trial.minimum, to: subBlocks.minimumCodes, unit: unit, negated: true)
    }

    /// The best minimum for the trial scale and the levels that the weights have with the free one.
    private func fitTrialMinimum(_ subBlock: Int, _ part: WeightedBlock) {
        let (sums, signs) = (freely.sums, freely.minimumSigns)
        for lane in 0..<Tile.lanes {
            trial.inverseScale[lane] = inverse(ofScale: trial.scale[lane])
        }
        sums.begin(part)
        sums.collect(
            part, minimums: freeMinimums + subBlock * Tile.lanes,
            inverseScales: trial.inverseScale, rounding: freely.rounding)
        for lane in 0..<Tile.lanes {
            let rest = sums.x[lane] - trial.scale[lane] * sums.l[lane]
            let minimum = rest / (sums.w[lane] > 0 ? sums.w[lane] : 1)
            trial.minimum[lane] = minimum * signs[lane] > 0 ? minimum : 0
        }
    }

    private func keepIfBetter(_ unit: Lanes, as best: Lanes) {
        for lane in 0..<Tile.lanes {
            let isBetter = trial.error[lane] < bestError[lane]
            best[lane] = isBetter ? unit[lane] : best[lane]
            bestError[lane] = isBetter ? trial.error[lane] : bestError[lane]
        }
    }
}
