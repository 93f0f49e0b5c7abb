import BlockFormats
import Kernels

/// A tile's rows on a codebook grid.
final class CodebookTile {
    let grid: CodebookGrid
    /// Rows in use; the other lanes hold zeros.
    let rowCount: Int
    /// What decoding gives: (columns, lanes).
    let weights: Matrix
    /// (row, super-block)
    private(set) var blocks: [CodebookBlock]

    var columns: Int { weights.rows }
    var blocksPerRow: Int { columns / CodebookGrid.weightsPerBlock }

    init(_ grid: CodebookGrid, rowCount: Int, columns: Int) {
        (self.grid, self.rowCount) = (grid, rowCount)
        weights = Matrix(rows: columns, columns: Tile.lanes)
        blocks = [CodebookBlock](
            repeating: CodebookBlock(grid),
            count: rowCount * (columns / CodebookGrid.weightsPerBlock))
    }

    /// The super-block of a row that holds a column.
    subscript(row: Int, column column: Int) -> CodebookBlock {
        get { blocks[row * blocksPerRow + column / CodebookGrid.weightsPerBlock] }
        _modify { yield &blocks[row * blocksPerRow + column / CodebookGrid.weightsPerBlock] }
    }

    /// The scale of a column.
    func scale(_ row: Int, column: Int) -> Float {
        let block = blocks[row * blocksPerRow + column / CodebookGrid.weightsPerBlock]
        let code = block.scaleCodes[
            column % CodebookGrid.weightsPerBlock / grid.weightsPerScale]
        return block.unit * grid.multiplier(code)
    }

    /// Fits the super-blocks that start at a column to `x`, (columns, lanes).
    func fit(_ x: Matrix, from column: Int, xRow: Int, by search: CodebookSearch) {
        let width = CodebookGrid.weightsPerBlock
        withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { scratch in
            guard let values = scratch.baseAddress else { return }
            for row in 0..<rowCount {
                for i in 0..<width { values[i] = x.lanes(xRow + i)[row] }
                search.fit(values, into: &self[row, column: column])
            }
        }
        for row in 0..<rowCount { decode(row, from: column) }
    }

    /// Brings `weights` up to a super-block.
    func decode(_ row: Int, from column: Int) {
        let width = CodebookGrid.weightsPerBlock
        withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { values in
            grid.expand(self[row, column: column], into: values)
            for i in 0..<width { weights.lanes(column + i)[row] = values[i] }
        }
    }

    /// Takes over rows of another tile.
    func take(_ other: CodebookTile, where isChosen: (Int) -> Bool) {
        for row in 0..<rowCount where isChosen(row) {
            for index in 0..<blocksPerRow {
                blocks[row * blocksPerRow + index] = other.blocks[row * blocksPerRow + index]
                decode(row, from: index * CodebookGrid.weightsPerBlock)
            }
        }
    }
}
