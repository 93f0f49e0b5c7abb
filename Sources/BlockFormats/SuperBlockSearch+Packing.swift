import Kernels

extension SuperBlockSearch.Fit {
    /// Writes the super-block of one lane.
    ///
    /// - Parameters:
    ///   - lane: whose units, scales and minimums.
    ///   - levels: what is stored for each weight.
    ///   - grid: one with sub-blocks.
    ///   - block: `bytesPerBlock` bytes.
    package func pack(
        lane: Int, levels: UnsafePointer<Int8>, as grid: LevelGrid,
        into block: UnsafeMutableRawBufferPointer
    ) {
        guard let subBlocks = grid.subBlocks else { return }
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: 2 * subBlocks.count) { codes in
            guard let scaleCodes = codes.baseAddress else { return }
            let minimumCodes = scaleCodes + subBlocks.count
            for subBlock in 0..<subBlocks.count {
                scaleCodes[subBlock] = code(
                    scale(subBlock)[lane], unit: unit[lane], codes: subBlocks.scaleCodes)
                minimumCodes[subBlock] = code(
                    -minimum(subBlock)[lane], unit: minimumUnit[lane],
                    codes: subBlocks.minimumCodes)
            }
            grid.pack(
                SuperBlock(
                    levels: levels, scaleCodes: scaleCodes, minimumCodes: minimumCodes,
                    unit: unit[lane], minimumUnit: minimumUnit[lane]),
                into: block)
        }
    }

    /// A scale is a whole number of units, exactly: a half times a code has no more bits than a
    /// float.
    private func code(_ value: Float, unit: Float, codes: ClosedRange<Int>) -> Int8 {
        Int8(
            nearestCode(
                value * inverse(ofScale: unit), Float(codes.lowerBound), Float(codes.upperBound)))
    }
}

extension LevelGrid {
    /// What is stored for a level, by level + 128: itself, or its place in the codebook.
    package var storedLevels: [Int8] {
        switch levels {
        case .uniform: return (-128...127).map { Int8($0) }
        case .codebook(let codebook):
            var places = [Int8](repeating: 0, count: 256)
            for (place, level) in codebook.enumerated() { places[Int(level) + 128] = Int8(place) }
            return places
        }
    }
}

/// Encoding without a pass: the search, all weights counting the same. Each lane takes a
/// super-block.
extension SuperBlockFormat {
    package static func encode(
        _ weights: UnsafeBufferPointer<Float>, into block: UnsafeMutableRawBufferPointer
    ) {
        encodeBlocks(weights, into: block)
    }

    package static func encodeBlocks(
        _ weights: UnsafeBufferPointer<Float>, into blocks: UnsafeMutableRawBufferPointer
    ) {
        guard let grid = LevelGrid(.block(type)),
            let search = SuperBlockSearch(grid, effort: .quick)
        else { return }
        let encoder = SuperBlockEncoder(search)
        for start in stride(from: 0, to: blocks.count / bytesPerBlock, by: Tile.lanes) {
            let count = min(Tile.lanes, blocks.count / bytesPerBlock - start)
            encoder.encode(
                UnsafeBufferPointer(
                    rebasing: weights[
                        start * weightsPerBlock..<(start + count) * weightsPerBlock]),
                into: UnsafeMutableRawBufferPointer(
                    rebasing: blocks[start * bytesPerBlock..<(start + count) * bytesPerBlock]))
        }
    }
}

/// Encodes as many super-blocks at a time as a tile has lanes.
private struct SuperBlockEncoder {
    private let search: SuperBlockSearch
    private let x: Matrix
    private let ones: Matrix
    private let numbers: Matrix
    private let storedLevels: [Int8]

    init(_ search: SuperBlockSearch) {
        self.search = search
        let width = search.grid.weightsPerBlock
        x = Matrix(rows: width, columns: Tile.lanes)
        ones = Matrix(rows: width, columns: Tile.lanes)
        ones.elements.update(repeating: 1)
        numbers = Matrix(rows: 2 * search.subBlocks.count + 3, columns: Tile.lanes)
        storedLevels = search.grid.storedLevels
    }

    func encode(
        _ weights: UnsafeBufferPointer<Float>, into blocks: UnsafeMutableRawBufferPointer
    ) {
        let (grid, subBlocks) = (search.grid, search.subBlocks)
        let width = grid.weightsPerBlock
        x.elements.update(repeating: 0)
        for index in weights.indices {
            x.elements[index % width * Tile.lanes + index / width] = weights[index]
        }
        let fit = SuperBlockSearch.Fit(
            unit: numbers.lanes(0), minimumUnit: numbers.lanes(1), scales: numbers.lanes(3),
            minimums: numbers.lanes(3 + subBlocks.count))
        search.fit(WeightedBlock(x: x.lanes(0), weights: ones.lanes(0), count: width), fit)
        roundWeights(fit)
        var levels = [Int8](repeating: 0, count: width)
        for lane in 0..<weights.count / width {
            for column in 0..<width {
                levels[column] = storedLevels[Int(x[column, lane]) + 128]
            }
            let place = lane * grid.bytesPerBlock..<(lane + 1) * grid.bytesPerBlock
            fit.pack(
                lane: lane, levels: levels, as: grid,
                into: UnsafeMutableRawBufferPointer(rebasing: blocks[place]))
        }
    }

    /// Puts levels in the place of the weights.
    private func roundWeights(_ fit: SuperBlockSearch.Fit) {
        let inverseScales = numbers.lanes(2)
        for column in 0..<x.rows {
            let subBlock = column / search.subBlocks.weightCount
            if column % search.subBlocks.weightCount == 0 {
                for lane in 0..<Tile.lanes {
                    inverseScales[lane] = inverse(ofScale: fit.scale(subBlock)[lane])
                }
            }
            search.freely.rounding.round(
                x.lanes(column), minimums: fit.minimum(subBlock), inverseScales: inverseScales,
                into: x.lanes(column))
        }
    }
}
