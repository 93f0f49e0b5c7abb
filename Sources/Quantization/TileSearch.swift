import BlockFormats
import Kernels

/// Fits the scales of a tile: block by block, or super-block by super-block where the grid has
/// them.
///
/// A search belongs to one thread; it owns the memory that it works in.
final class TileSearch {
    let grid: LevelGrid
    private let blocks: ScaleSearch
    private let superBlocks: SuperBlockSearch?
    /// What errors count, in the columns of one block: (columns, lanes).
    private let weights: Matrix
    /// Whether `weights` are ones.
    private var countsAllAlike = false

    init(_ grid: LevelGrid, effort: SearchEffort = .thorough) {
        self.grid = grid
        superBlocks = SuperBlockSearch(grid, effort: effort)
        blocks = superBlocks?.freely ?? ScaleSearch(grid, effort: effort)
        weights = Matrix(rows: grid.weightsPerBlock, columns: Tile.lanes)
    }

    var rounding: LevelRounding { blocks.rounding }

    /// Fits every block of a tile.
    ///
    /// - Parameters:
    ///   - tile: receives scales and minimums, and their units.
    ///   - target: the weights to come close to: (columns, lanes).
    ///   - importance: what an error in each column counts; nil for all alike.
    func fit(_ tile: GridTile, to target: Matrix, importance: [Float]?) {
        for superBlock in 0..<tile.blockCount / tile.blocksPerSuperBlock {
            let columns = tile.columns(ofSuperBlock: superBlock)
            fit(
                superBlock, of: tile, to: target.lanes(columns.lowerBound),
                importance: importance?[columns], count: columns.count)
        }
    }

    /// Fits one super-block, or block where the grid has no super-blocks.
    ///
    /// - Parameters:
    ///   - superBlock: its place in the tile.
    ///   - tile: receives its scales and minimums, and their units.
    ///   - x: its weights: (columns, lanes).
    ///   - importance: what an error in each of its columns counts.
    func fit(
        _ superBlock: Int, of tile: GridTile, to x: UnsafePointer<Float>,
        importance: ArraySlice<Float>
    ) {
        fit(superBlock, of: tile, to: x, importance: importance, count: importance.count)
    }

    private func fit(
        _ superBlock: Int, of tile: GridTile, to x: UnsafePointer<Float>,
        importance: ArraySlice<Float>?, count: Int
    ) {
        let block = weightedBlock(x, importance, count: count)
        if let superBlocks {
            superBlocks.fit(block, tile.fit(ofSuperBlock: superBlock))
        } else {
            blocks.fit(
                block, scales: tile.scales.lanes(superBlock),
                minimums: tile.minimums.lanes(superBlock))
        }
        for block in 0..<tile.blocksPerSuperBlock {
            tile.setInverses(ofBlock: superBlock * tile.blocksPerSuperBlock + block)
        }
    }

    /// Fits one block of a super-block, whose units stay as they are.
    func fit(
        block: Int, of tile: GridTile, to x: UnsafePointer<Float>, importance: ArraySlice<Float>
    ) {
        guard let superBlocks else { return }
        let (superBlock, subBlock) = block.quotientAndRemainder(
            dividingBy: tile.blocksPerSuperBlock)
        superBlocks.fit(
            subBlock, weightedBlock(x, importance, count: importance.count),
            tile.fit(ofSuperBlock: superBlock))
        tile.setInverses(ofBlock: block)
    }

    private func weightedBlock(
        _ x: UnsafePointer<Float>, _ importance: ArraySlice<Float>?, count: Int
    ) -> WeightedBlock {
        if let importance {
            for (place, count) in blockWeights(importance).enumerated() {
                weights.lanes(place).fillLanes(count)
            }
            countsAllAlike = false
        } else if !countsAllAlike {
            weights.elements.update(repeating: 1)
            countsAllAlike = true
        }
        return WeightedBlock(x: x, weights: weights.lanes(0), count: count)
    }

    /// The weights of a block's columns, scaled to a mean of one; ones where all are zero, for then
    /// nothing is known, and a block without weights would have no scale.
    ///
    /// In a super-block none is quite zero, so that a sub-block about which nothing is known has a
    /// scale, too.
    private func blockWeights(_ importance: ArraySlice<Float>) -> [Float] {
        let sum = importance.reduce(0, +)
        guard sum > 0, sum.isFinite else { return [Float](repeating: 1, count: importance.count) }
        let factor = Float(importance.count) / sum
        guard superBlocks != nil else { return importance.map { $0 * factor } }
        return importance.map { max($0 * factor, 1e-6) }
    }
}
