import Kernels

extension SuperBlockSearch {
    /// Tries units for the scales; minimums are free yet.
    func chooseUnit(_ block: WeightedBlock, _ fit: Fit) {
        let largest = trial.largest
        takeLargest(of: freeScales, into: largest)
        bestError.fillLanes(.infinity)
        fit.unit.fillLanes(0)
        let targets = effort.unitTargets(subBlocks.scaleCodes)
        for target in targets {
            for lane in 0..<Tile.lanes { trial.unit[lane] = largest[lane] / target }
            roundUnits(trial.unit)
            guard targets.count > 1 else {
                fit.unit.copyLanes(trial.unit)
                break
            }
            trial.error.fillLanes(0)
            for subBlock in 0..<subBlocks.count {
                setTrialScale(subBlock, unit: trial.unit)
                if grid.hasMinimum {
                    fitTrialMinimum(subBlock, of: block)
                    for lane in 0..<Tile.lanes {
                        trial.error[lane] += freely.sums.error(
                            lane, scale: trial.scale[lane], minimum: trial.minimum[lane])
                    }
                } else {
                    trial.minimum.fillLanes(0)
                    addErrors(
                        part(subBlock, of: block), scale: trial.scale, minimum: trial.minimum,
                        to: trial.error)
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
            fitTrialMinimum(subBlock, of: block)
            (freeMinimums + subBlock * Tile.lanes).copyLanes(trial.minimum)
        }
        fit.minimumUnit.fillLanes(0)
    }

    /// Tries units for the minimums, the scales being fixed.
    func chooseMinimumUnit(_ block: WeightedBlock, _ fit: Fit) {
        let largest = trial.largest
        takeLargest(of: freeMinimums, into: largest)
        bestError.fillLanes(.infinity)
        for target in effort.unitTargets(subBlocks.minimumCodes) {
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
    private func fitTrialMinimum(_ subBlock: Int, of block: WeightedBlock) {
        let (sums, signs) = (freely.sums, freely.minimumSigns)
        for lane in 0..<Tile.lanes {
            trial.inverseScale[lane] = inverse(ofScale: trial.scale[lane])
        }
        collect(subBlock, of: block, minimums: freeMinimums + subBlock * Tile.lanes)
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
