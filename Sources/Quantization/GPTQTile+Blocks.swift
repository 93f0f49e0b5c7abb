import BlockFormats
import Kernels

/// Blocks take turns: each is rounded anew, under several scales, to what is best for it while all
/// others stay as they are.
///
/// With B the block's part of the damped Hessian and g its part of H·(target − tile), the error is
/// smallest where the block's weights are moved by B⁻¹·g. Rounding them there with error feedback
/// among the block's own columns costs, beyond that smallest error, the sum of the squares of the
/// errors that are fed back; staying costs gᵀ·B⁻¹·g. Where a scale has another one next to it that
/// suits the codes of all columns together, descent code by code would never find it.
extension GPTQTile {
    func improveBlocks(_ factors: BlockFactors, batchSize: Int) {
        let batchSize = min(wholeGroups(batchSize), columns)
        let changes = Matrix(rows: batchSize, columns: Tile.lanes)
        let trial = BlockTrial(tile, factors, rounding)
        for start in stride(from: 0, to: columns, by: batchSize) {
            let batch = start..<min(start + batchSize, columns)
            changes.elements.update(repeating: 0)
            for first in stride(from: start, to: batch.upperBound, by: groupSize) {
                let block = first / groupSize
                let members = tile.columns(ofBlock: block)
                trial.improve(block, gradient: gradient)
                for column in members {
                    changes.lanes(column - start).copyLanes(
                        trial.change(column - members.lowerBound))
                }
                follow(changes.lanes(first - start), of: members, in: batch)
                moveScale(ofBlock: block, batch: batch, changes: changes)
            }
            for rest in [0..<start, batch.upperBound..<columns] {
                follow(changes.lanes(0), of: batch, in: rest)
            }
        }
    }

    /// Takes changes of some columns' weights over into the gradient of others.
    func follow(_ changes: Lanes, of members: Range<Int>, in others: Range<Int>) {
        guard !others.isEmpty else { return }
        multiply(
            MatrixOperand(
                hessian.damped.pointer(toRow: others.lowerBound, column: members.lowerBound),
                stride: columns),
            MatrixOperand(changes, stride: Tile.lanes), into: gradient.lanes(others.lowerBound),
            stride: Tile.lanes, rows: others.count, inner: members.count, columns: Tile.lanes,
            scale: -1, keep: 1)
    }
}

/// One block of every lane, while its scale and codes are looked for.
private final class BlockTrial {
    private let tile: GridTile
    private let factors: BlockFactors
    private let rounding: LevelRounding
    private let candidates: ScaleNeighbours
    private let numbers: Matrix
    /// In the order of rounding, (groupSize, lanes): where the block's weights should be, and levels.
    private let (slopes, x, levels): (Lanes, Lanes, Lanes)
    /// From left to right, (groupSize, lanes): how the weights changed.
    private let changes: Lanes
    private let (scale, minimum, inverseScale, error): (Lanes, Lanes, Lanes, Lanes)
    private let (bestScale, bestMinimum, least, isBetter): (Lanes, Lanes, Lanes, Lanes)

    init(_ tile: GridTile, _ factors: BlockFactors, _ rounding: LevelRounding) {
        (self.tile, self.factors, self.rounding) = (tile, factors, rounding)
        candidates = ScaleNeighbours(tile.grid, rounding)
        let width = tile.groupSize
        let numbers = Matrix(rows: 4 * width + 8, columns: Tile.lanes)
        self.numbers = numbers
        (slopes, x, levels) = (numbers.lanes(0), numbers.lanes(width), numbers.lanes(2 * width))
        changes = numbers.lanes(3 * width)
        func lanes(_ row: Int) -> Lanes { numbers.lanes(4 * width + row) }
        (scale, minimum, inverseScale, error) = (lanes(0), lanes(1), lanes(2), lanes(3))
        (bestScale, bestMinimum, least, isBetter) = (lanes(4), lanes(5), lanes(6), lanes(7))
    }

    func change(_ place: Int) -> Lanes { changes + place * Tile.lanes }

    /// Puts the best codes found for a block into the tile, and the changes of its weights into
    /// `change`.
    func improve(_ block: Int, gradient: Matrix) {
        let members = tile.columns(ofBlock: block)
        let order = factors.order(members)
        setTarget(block, members, gradient: gradient)
        bestScale.copyLanes(tile.scales.lanes(block))
        bestMinimum.copyLanes(tile.minimums.lanes(block))
        isBetter.fillLanes(0)
        for index in 0..<candidates.count {
            candidates.set(index, block, of: tile, scale: scale, minimum: minimum)
            round(members, scale: scale, minimum: minimum)
            for lane in 0..<Tile.lanes {
                // Better than by what sums may be wrong.
                let better = error[lane] < least[lane]
                least[lane] = better ? error[lane] : least[lane]
                bestScale[lane] = better ? scale[lane] : bestScale[lane]
                bestMinimum[lane] = better ? minimum[lane] : bestMinimum[lane]
                isBetter[lane] = better ? 1 : isBetter[lane]
            }
        }
        round(members, scale: bestScale, minimum: bestMinimum)
        let (oldScale, oldMinimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
        for (place, column) in order.enumerated() {
            let (change, level) = (
                change(column - members.lowerBound), tile.levels.lanes(column)
            )
            let found = levels + place * Tile.lanes
            for lane in 0..<Tile.lanes {
                let old = oldScale[lane] * level[lane] + oldMinimum[lane]
                let new = bestScale[lane] * found[lane] + bestMinimum[lane]
                change[lane] = isBetter[lane] != 0 ? new - old : 0
                level[lane] = isBetter[lane] != 0 ? found[lane] : level[lane]
            }
        }
        oldScale.copyLanes(bestScale)
        oldMinimum.copyLanes(bestMinimum)
        tile.setInverses(ofBlock: block)
    }

    /// Sets where the block's weights should be, and what they cost where they are.
    private func setTarget(_ block: Int, _ members: Range<Int>, gradient: Matrix) {
        let order = factors.order(members)
        for (place, column) in order.enumerated() {
            (slopes + place * Tile.lanes).copyLanes(gradient.lanes(column))
        }
        multiply(
            factors.inverse(members), MatrixOperand(slopes, stride: Tile.lanes), into: x,
            stride: Tile.lanes, rows: members.count, inner: members.count, columns: Tile.lanes)
        least.fillLanes(0)
        let (scale, minimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
        for (place, column) in order.enumerated() {
            let (move, slope) = (x + place * Tile.lanes, slopes + place * Tile.lanes)
            let level = tile.levels.lanes(column)
            for lane in 0..<Tile.lanes {
                least[lane] += move[lane] * slope[lane]
                move[lane] += scale[lane] * level[lane] + minimum[lane]
            }
        }
        // What is gained must be more than sums may be wrong.
        for lane in 0..<Tile.lanes { least[lane] *= 1 - 1e-5 }
    }

    private func round(_ members: Range<Int>, scale: Lanes, minimum: Lanes) {
        for lane in 0..<Tile.lanes { inverseScale[lane] = inverse(ofScale: scale[lane]) }
        rounding.feedBack(
            x, factors.feedback(members), scales: scale, minimums: minimum,
            inverseScales: inverseScale, into: levels, errors: error)
    }
}

/// Scales and minimums about those of a block.
private struct ScaleNeighbours {
    private var moves: [(scale: Float, minimum: Float)] = []
    /// How far scales are apart, as a part of the scale: about as far as it takes to move the levels of
    /// large weights by a third.
    private let step: Float
    /// What stays in place when the scale of a grid with minimums changes.
    private let middle: Float

    init(_ grid: LevelGrid, _ rounding: LevelRounding) {
        let (lowest, highest) = rounding.bounds
        step = 0.34 * rounding.spacing / max(-lowest, highest)
        middle = grid.hasMinimum ? (lowest + highest) / 2 : 0
        let (reach, shift) = grid.hasMinimum ? (3, 1) : (4, 0)
        for scale in -reach...reach {
            for minimum in -shift...shift { moves.append((Float(scale), Float(minimum))) }
        }
    }

    var count: Int { moves.count }

    func set(_ index: Int, _ block: Int, of tile: GridTile, scale: Lanes, minimum: Lanes) {
        let (oldScale, oldMinimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
        let move = moves[index]
        let superBlock = block / tile.blocksPerSuperBlock
        let hasUnits = tile.units.rows > 0
        for lane in 0..<Tile.lanes {
            let s = oldScale[lane]
            let unit = hasUnits ? tile.units[superBlock, lane].magnitude : 0
            let minimumUnit = hasUnits ? tile.minimumUnits[superBlock, lane].magnitude : 0
            let wanted = s + move.scale * max(step * s.magnitude, unit)
            let shift = (s - wanted) * middle + move.minimum * max(s.magnitude / 3, minimumUnit)
            let stored = tile.representable(
                scale: wanted, minimum: oldMinimum[lane] + shift, block: block, lane: lane)
            (scale[lane], minimum[lane]) = stored
        }
    }
}
