import BlockFormats
import Kernels

extension GPTQTile {
    /// Moves the units of each super-block to where the error is smallest, all codes being fixed.
    ///
    /// With p the block's weights per unit of the scales, codes times levels, and q those per unit
    /// of the minimums, moving the units by s and m changes the error by
    ///
    ///     s²·pᵀHp + 2·s·m·pᵀHq + m²·qᵀHq − 2·s·pᵀg − 2·m·qᵀg
    func refitUnits() {
        guard let subBlocks = search.grid.subBlocks else { return }
        let width = subBlocks.count * subBlocks.weightCount
        let work = UnitWork(width: width)
        for superBlock in 0..<tile.units.rows {
            let members = tile.columns(ofSuperBlock: superBlock)
            work.setDirections(tile, superBlock)
            for (direction, product) in [(work.p, work.hp), (work.q, work.hq)] {
                multiply(
                    MatrixOperand(
                        hessian.damped.pointer(
                            toRow: members.lowerBound, column: members.lowerBound),
                        stride: columns),
                    MatrixOperand(direction.lanes(0), stride: Tile.lanes),
                    into: product.lanes(0), stride: Tile.lanes, rows: width, inner: width,
                    columns: Tile.lanes)
            }
            work.setMoves(tile, superBlock, gradient: gradient)
            work.apply(to: tile, superBlock)
            follow(work.hp.lanes(0), of: members, in: 0..<columns)
        }
    }
}

/// The units of one super-block in every lane while they move.
private final class UnitWork {
    /// (width, lanes): weights per unit of the scales and of the minimums.
    let p, q: Matrix
    /// H·p and H·q; in the end `hp` holds the changes of the weights.
    let hp, hq: Matrix
    private let units = Matrix(rows: 2, columns: Tile.lanes)

    init(width: Int) {
        p = Matrix(rows: width, columns: Tile.lanes)
        q = Matrix(rows: width, columns: Tile.lanes)
        hp = Matrix(rows: width, columns: Tile.lanes)
        hq = Matrix(rows: width, columns: Tile.lanes)
    }

    func setDirections(_ tile: GridTile, _ superBlock: Int) {
        let members = tile.columns(ofSuperBlock: superBlock)
        let (unit, minimumUnit) = (
            tile.units.lanes(superBlock), tile.minimumUnits.lanes(superBlock)
        )
        for column in members {
            let block = column / tile.groupSize
            let (scale, minimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
            let place = column - members.lowerBound
            let (perUnit, perMinimumUnit) = (p.lanes(place), q.lanes(place))
            let level = tile.levels.lanes(column)
            for lane in 0..<Tile.lanes {
                let code = scale[lane] * inverse(ofScale: unit[lane])
                perUnit[lane] = code * level[lane]
                perMinimumUnit[lane] = minimum[lane] * inverse(ofScale: minimumUnit[lane])
            }
        }
    }

    func setMoves(_ tile: GridTile, _ superBlock: Int, gradient: Matrix) {
        let start = tile.columns(ofSuperBlock: superBlock).lowerBound
        let sums = Matrix(rows: 5, columns: Tile.lanes)
        let (pp, pq, qq) = (sums.lanes(0), sums.lanes(1), sums.lanes(2))
        let (pg, qg) = (sums.lanes(3), sums.lanes(4))
        for place in 0..<p.rows {
            let (p, q) = (p.lanes(place), q.lanes(place))
            let (hp, hq, g) = (hp.lanes(place), hq.lanes(place), gradient.lanes(start + place))
            for lane in 0..<Tile.lanes {
                pp[lane] += p[lane] * hp[lane]
                pq[lane] += q[lane] * hp[lane]
                qq[lane] += q[lane] * hq[lane]
                pg[lane] += p[lane] * g[lane]
                qg[lane] += q[lane] * g[lane]
            }
        }
        for lane in 0..<Tile.lanes {
            let stored = (tile.units[superBlock, lane], tile.minimumUnits[superBlock, lane])
            var best = stored
            var bestChange: Float = 0
            func offer(_ s: Float, _ m: Float) {
                let moved = (
                    tile.grid.representable(unit: stored.0 + s),
                    tile.grid.representable(unit: stored.1 + m)
                )
                // A unit keeps its sign: the codes were chosen for it.
                guard moved.0 * stored.0 > 0 else { return }
                guard moved.1 * stored.1 > 0 || moved.1 == stored.1 else { return }
                let (s, m) = (moved.0 - stored.0, moved.1 - stored.1)
                let change =
                    s * (s * pp[lane] + 2 * m * pq[lane] - 2 * pg[lane])
                    + m * (m * qq[lane] - 2 * qg[lane])
                if change < bestChange { (best, bestChange) = (moved, change) }
            }
            if pp[lane] > 0 { offer(pg[lane] / pp[lane], 0) }
            if qq[lane] > 0 { offer(0, qg[lane] / qq[lane]) }
            let determinant = pp[lane] * qq[lane] - pq[lane] * pq[lane]
            if determinant > 1e-4 * pp[lane] * qq[lane] {
                offer(
                    (qq[lane] * pg[lane] - pq[lane] * qg[lane]) / determinant,
                    (pp[lane] * qg[lane] - pq[lane] * pg[lane]) / determinant)
            }
            (units[0, lane], units[1, lane]) = best
        }
    }

    /// Gives the tile its new units, and puts the changes of the weights into `hp`.
    func apply(to tile: GridTile, _ superBlock: Int) {
        let (unit, minimumUnit) = (
            tile.units.lanes(superBlock), tile.minimumUnits.lanes(superBlock)
        )
        hp.elements.update(repeating: 0)
        addWeights(of: tile, superBlock, times: -1)
        let first = superBlock * tile.blocksPerSuperBlock
        for block in first..<first + tile.blocksPerSuperBlock {
            for lane in 0..<Tile.lanes {
                let code = (tile.scales[block, lane] * inverse(ofScale: unit[lane])).rounded()
                let minimumCode =
                    (tile.minimums[block, lane] * inverse(ofScale: minimumUnit[lane])).rounded()
                tile.scales[block, lane] = units[0, lane] * code
                tile.minimums[block, lane] = units[1, lane] * minimumCode
            }
            tile.setInverses(ofBlock: block)
        }
        unit.copyLanes(units.lanes(0))
        minimumUnit.copyLanes(units.lanes(1))
        addWeights(of: tile, superBlock, times: 1)
    }

    /// hp += sign · weights
    private func addWeights(of tile: GridTile, _ superBlock: Int, times sign: Float) {
        let members = tile.columns(ofSuperBlock: superBlock)
        for column in members {
            let block = column / tile.groupSize
            let (scale, minimum) = (tile.scales.lanes(block), tile.minimums.lanes(block))
            let (level, sum) = (tile.levels.lanes(column), hp.lanes(column - members.lowerBound))
            for lane in 0..<Tile.lanes {
                sum[lane] += sign * (scale[lane] * level[lane] + minimum[lane])
            }
        }
    }
}
