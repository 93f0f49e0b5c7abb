import Kernels

extension SuperBlockSearch {
    /// Lets each sub-block try the codes about its own, the units being fixed.
    func refineCodes(_ block: WeightedBlock, _ fit: Fit, reach: Int) {
        for subBlock in 0..<subBlocks.count {
            refineCodes(subBlock, part(subBlock, of: block), fit, reach: reach)
        }
    }

    /// Tries the codes of one sub-block's scale and minimum up to `reach` away from what they are,
    /// and, from further than one step, those of a negative scale about the opposite: where levels
    /// are not symmetric, that is another grid. `errors` knows what they cost, and follows.
    func refineCodes(_ subBlock: Int, _ block: WeightedBlock, _ fit: Fit, reach: Int) {
        let (scale, minimum) = (fit.scale(subBlock), fit.minimum(subBlock))
        let error = errors + subBlock * Tile.lanes
        let (startScale, startMinimum) = (trial.scales, trial.minimums)
        startScale.copyLanes(scale)
        startMinimum.copyLanes(minimum)
        let signs: [Float] = reach > 1 && subBlocks.scaleCodes.lowerBound < 0 ? [1, -1] : [1]
        let minimumReach = grid.hasMinimum ? reach : 0
        for (sign, scaleMove) in signs.flatMap({ sign in (-reach...reach).map { (sign, $0) } }) {
            for lane in 0..<Tile.lanes { trial.scale[lane] = sign * startScale[lane] }
            move(trial.scale, by: scaleMove, codes: subBlocks.scaleCodes, unit: fit.unit)
            for minimumMove in -minimumReach...minimumReach {
                guard sign < 0 || scaleMove != 0 || minimumMove != 0 else { continue }
                trial.minimum.copyLanes(startMinimum)
                if minimumMove != 0 {
                    move(
                        trial.minimum, by: minimumMove, codes: subBlocks.minimumCodes,
                        unit: fit.minimumUnit, negated: true)
                }
                trial.error.fillLanes(0)
                addErrors(block, scale: trial.scale, minimum: trial.minimum, to: trial.error)
                for lane in 0..<Tile.lanes {
                    let isBetter = trial.error[lane] < error[lane]
                    scale[lane] = isBetter ? trial.scale[lane] : scale[lane]
                    minimum[lane] = isBetter ? trial.minimum[lane] : minimum[lane]
                    error[lane] = isBetter ? trial.error[lane] : error[lane]
                }
            }
        }
    }

    /// Adds `steps` units and keeps the sum within the codes.
    private func move(
        _ values: Lanes, by steps: Int, codes: ClosedRange<Int>, unit: Lanes, negated: Bool = false
    ) {
        let sign: Float = negated ? -1 : 1
        for lane in 0..<Tile.lanes { values[lane] += sign * Float(steps) * unit[lane] }
        round(values, to: codes, unit: unit, negated: negated)
    }

    /// Moves the units to where they suit the codes and levels best, in the lanes where that, with
    /// codes rounded anew, is an improvement.
    ///
    /// With c and k the codes of a scale and a minimum, l the levels, d and e the units, the error
    /// Σ w·(d·c·l − e·k − x)² is smallest where
    ///
    ///     d·Σ w(cl)² − e·Σ w·c·l·k = Σ w·c·l·x        e·Σ w·k² − d·Σ w·c·l·k = −Σ w·k·x
    func refitUnits(_ block: WeightedBlock, _ fit: Fit) {
        setBestUnits(block, fit)
        roundUnits(trial.unit)
        roundUnits(trial.minimumUnit)
        trial.error.fillLanes(0)
        bestError.fillLanes(0)
        for subBlock in 0..<subBlocks.count {
            let (scale, minimum) = (trialScale(subBlock), trialMinimum(subBlock))
            let error = trial.errors + subBlock * Tile.lanes
            for lane in 0..<Tile.lanes {
                let code = fit.scale(subBlock)[lane] * inverse(ofScale: fit.unit[lane])
                let minimumCode =
                    fit.minimum(subBlock)[lane] * inverse(ofScale: fit.minimumUnit[lane])
                scale[lane] = trial.unit[lane] * code
                minimum[lane] = trial.minimumUnit[lane] * minimumCode
            }
            round(scale, to: subBlocks.scaleCodes, unit: trial.unit)
            if grid.hasMinimum {
                round(minimum, to: subBlocks.minimumCodes, unit: trial.minimumUnit, negated: true)
            }
            error.fillLanes(0)
            addErrors(part(subBlock, of: block), scale: scale, minimum: minimum, to: error)
            for lane in 0..<Tile.lanes {
                trial.error[lane] += error[lane]
                bestError[lane] += errors[subBlock * Tile.lanes + lane]
            }
        }
        take(fit)
    }

    private func trialScale(_ subBlock: Int) -> Lanes { trial.scales + subBlock * Tile.lanes }
    private func trialMinimum(_ subBlock: Int) -> Lanes { trial.minimums + subBlock * Tile.lanes }

    private func setBestUnits(_ block: WeightedBlock, _ fit: Fit) {
        let system = Matrix(rows: 5, columns: Tile.lanes)
        let (cc, ck, kk) = (system.lanes(0), system.lanes(1), system.lanes(2))
        let (cx, kx) = (system.lanes(3), system.lanes(4))
        let sums = freely.sums
        for subBlock in 0..<subBlocks.count {
            let (scale, minimum) = (fit.scale(subBlock), fit.minimum(subBlock))
            for lane in 0..<Tile.lanes {
                trial.inverseScale[lane] = inverse(ofScale: scale[lane])
            }
            collect(subBlock, of: block, minimums: minimum)
            for lane in 0..<Tile.lanes {
                let c = scale[lane] * inverse(ofScale: fit.unit[lane])
                let k = -minimum[lane] * inverse(ofScale: fit.minimumUnit[lane])
                cc[lane] += c * c * sums.ll[lane]
                ck[lane] += c * k * sums.l[lane]
                kk[lane] += k * k * sums.w[lane]
                cx[lane] += c * sums.lx[lane]
                kx[lane] += k * sums.x[lane]
            }
        }
        for lane in 0..<Tile.lanes {
            let determinant = cc[lane] * kk[lane] - ck[lane] * ck[lane]
            let isDetermined = determinant > 1e-5 * cc[lane] * kk[lane]
            let inverse = 1 / (isDetermined ? determinant : 1)
            let alone = cc[lane] > 0 && kk[lane] == 0
            let unit = (cx[lane] * kk[lane] - ck[lane] * kx[lane]) * inverse
            let minimumUnit = (ck[lane] * cx[lane] - cc[lane] * kx[lane]) * inverse
            let unitAlone = alone ? cx[lane] / cc[lane] : fit.unit[lane]
            trial.unit[lane] = isDetermined ? unit : unitAlone
            trial.minimumUnit[lane] = isDetermined ? minimumUnit : fit.minimumUnit[lane]
        }
    }

    /// Takes the trial over in the lanes where it is better.
    private func take(_ fit: Fit) {
        for lane in 0..<Tile.lanes where trial.error[lane] < bestError[lane] {
            fit.unit[lane] = trial.unit[lane]
            fit.minimumUnit[lane] = trial.minimumUnit[lane]
            for subBlock in 0..<subBlocks.count {
                let place = subBlock * Tile.lanes + lane
                fit.scales[place] = trial.scales[place]
                fit.minimums[place] = trial.minimums[place]
                errors[place] = trial.errors[place]
            }
        }
    }
}
