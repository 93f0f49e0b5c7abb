import BlockFormats
import Kernels

/// A tile's weights on the grid: a level for each, and each block's scale and minimum.
///
/// A weight is `scale · level + minimum`. Scales and minimums are always the rounded numbers that
/// the file will hold, so whatever is computed here is what a reader of the file computes.
final class GridTile {
    let grid: LevelGrid
    let columns: Int
    let groupSize: Int
    /// (columns, lanes)
    let levels: Matrix
    /// (blocks, lanes), like `minimums` and `inverseScales`.
    let scales: Matrix
    let minimums: Matrix
    /// Follows `scales`; kept because the inner loops multiply.
    let inverseScales: Matrix
    /// Blocks of this tile, each with a scale, that are stored as one; 1 where all are.
    let blocksPerSuperBlock: Int
    /// What the scales of a super-block are multiples of: (super-blocks, lanes), like
    /// `minimumUnits`; without rows where scales are free.
    let units: Matrix
    let minimumUnits: Matrix

    init(columns: Int, grid: LevelGrid) {
        (self.grid, self.columns, groupSize) = (grid, columns, grid.weightsPerScale)
        let blocks = (columns + groupSize - 1) / groupSize
        blocksPerSuperBlock = grid.subBlocks?.count ?? 1
        let superBlocks = grid.subBlocks.map { blocks / $0.count } ?? 0
        units = Matrix(rows: superBlocks, columns: Tile.lanes)
        minimumUnits = Matrix(rows: superBlocks, columns: Tile.lanes)
        levels = Matrix(rows: columns, columns: Tile.lanes)
        scales = Matrix(rows: blocks, columns: Tile.lanes)
        minimums = Matrix(rows: blocks, columns: Tile.lanes)
        inverseScales = Matrix(rows: blocks, columns: Tile.lanes)
    }

    /// Makes a copy.
    convenience init(_ other: GridTile) {
        self.init(columns: other.columns, grid: other.grid)
        for (mine, others) in zip(matrices, other.matrices) {
            _ = mine.elements.update(fromContentsOf: others.elements)
        }
    }

    private var matrices: [Matrix] {
        [levels, scales, minimums, inverseScales, units, minimumUnits]
    }

    var blockCount: Int { scales.rows }

    /// The columns of a block; the last one may have fewer than the others.
    func columns(ofBlock block: Int) -> Range<Int> {
        block * groupSize..<min(columns, (block + 1) * groupSize)
    }

    /// The columns of a super-block.
    func columns(ofSuperBlock superBlock: Int) -> Range<Int> {
        let width = blocksPerSuperBlock * groupSize
        return superBlock * width..<min(columns, (superBlock + 1) * width)
    }

    /// Where the numbers of a super-block are.
    func fit(ofSuperBlock superBlock: Int) -> SuperBlockSearch.Fit {
        SuperBlockSearch.Fit(
            unit: units.lanes(superBlock), minimumUnit: minimumUnits.lanes(superBlock),
            scales: scales.lanes(superBlock * blocksPerSuperBlock),
            minimums: minimums.lanes(superBlock * blocksPerSuperBlock))
    }

    /// The scale and minimum that a block can have nearest to these, the units of its super-block
    /// being what they are.
    func representable(
        scale: Float, minimum: Float, block: Int, lane: Int
    ) -> (scale: Float, minimum: Float) {
        guard let subBlocks = grid.subBlocks else {
            return grid.representable(scale: scale, minimum: minimum)
        }
        let superBlock = block / blocksPerSuperBlock
        let unit = units[superBlock, lane]
        let scale = subBlocks.nearest(to: scale, unit: unit, codes: subBlocks.scaleCodes)
        guard grid.hasMinimum else { return (scale, 0) }
        let minimumUnit = minimumUnits[superBlock, lane]
        return (
            scale,
            -subBlocks.nearest(to: -minimum, unit: minimumUnit, codes: subBlocks.minimumCodes)
        )
    }

    func setInverses(ofBlock block: Int) {
        let (scale, inverseScale) = (scales.lanes(block), inverseScales.lanes(block))
        for lane in 0..<Tile.lanes { inverseScale[lane] = inverse(ofScale: scale[lane]) }
    }

    /// Rounds a column to its block's grid and gives the value that each lane then has.
    @inline(__always)
    func round(
        column: Int, values: UnsafePointer<Float>, by rounding: LevelRounding, into rounded: Lanes
    ) {
        let block = column / groupSize
        let (scale, minimum) = (scales.lanes(block), minimums.lanes(block))
        let level = levels.lanes(column)
        rounding.round(
            values, minimums: minimum, inverseScales: inverseScales.lanes(block), into: level)
        for lane in 0..<Tile.lanes { rounded[lane] = scale[lane] * level[lane] + minimum[lane] }
    }

    /// weights − what the grid holds: (columns, lanes).
    func residual(of weights: Matrix, into result: Matrix) {
        for column in 0..<columns {
            let block = column / groupSize
            let (scale, minimum) = (scales.lanes(block), minimums.lanes(block))
            let (level, weight) = (levels.lanes(column), weights.lanes(column))
            let out = result.lanes(column)
            for lane in 0..<Tile.lanes {
                out[lane] = weight[lane] - (scale[lane] * level[lane] + minimum[lane])
            }
        }
    }

    /// Takes over the lanes of `other` in which `chosen`, (1, lanes), is not 0.
    func take(_ other: GridTile, where chosen: Matrix) {
        for (mine, others) in zip(matrices, other.matrices) { mine.take(others, where: chosen) }
    }
}

extension Matrix {
    /// Takes over the lanes of `other` in which `chosen`, (1, lanes), is not 0.
    func take(_ other: Matrix, where chosen: Matrix) {
        let chosen = chosen.lanes(0)
        for row in 0..<rows {
            let (target, source) = (lanes(row), other.lanes(row))
            for lane in 0..<Tile.lanes {
                target[lane] = chosen[lane] != 0 ? source[lane] : target[lane]
            }
        }
    }
}
