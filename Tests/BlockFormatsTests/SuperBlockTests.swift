import Kernels
import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

/// The block encodings whose scales are quantized themselves.
let superBlocks: [BlockEncoding] = [.q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs]

@Suite struct SuperBlockTests {
    /// The promise that passes build on: what they computed is what a reader will see.
    @Test(arguments: superBlocks, 1...4 as ClosedRange<UInt64>)
    func packedBlocksDecodeToWhatTheirNumbersSay(type: BlockEncoding, seed: UInt64) throws {
        let grid = try #require(LevelGrid(.block(type)))
        let parts = try #require(grid.subBlocks)
        var generator = SeededGenerator(seed: seed)
        func random(_ range: ClosedRange<Int>) -> Int8 {
            Int8(Int.random(in: range, using: &generator))
        }
        let (unit, minimumUnit) = (Float(Float16(0.0137)), Float(Float16(-0.0021)))
        let scaleCodes = (0..<parts.count).map { _ in random(parts.scaleCodes) }
        let minimumCodes = (0..<parts.count).map { _ in random(parts.minimumCodes) }
        let values = grid.values
        let stored = (0..<256).map { _ in random(grid.storedRange) }

        var block = [UInt8](repeating: 0xA5, count: grid.bytesPerBlock)
        block.withUnsafeMutableBytes {
            grid.pack(
                SuperBlock(
                    levels: stored, scaleCodes: scaleCodes, minimumCodes: minimumCodes,
                    unit: unit, minimumUnit: minimumUnit),
                into: $0)
        }
        let expected = stored.enumerated().map { weight, level in
            let part = weight / parts.weightCount
            return unit * Float(scaleCodes[part]) * values[Int(level) - grid.storedRange.lowerBound]
                - minimumUnit * Float(minimumCodes[part])
        }
        #expect(try decode(block, .block(type), columns: 256) == expected)
        #expect(parts.count * parts.weightCount == grid.weightsPerBlock)
        #expect(grid.hasMinimum == (parts.minimumCodes.count > 1))
    }

    /// ggml's reference encoder made the vectors' first row.
    @Test(arguments: superBlocks) func encodersLoseLessThanTheReferenceEncoder(
        type: BlockEncoding
    ) throws {
        let weights = Array(try BlockVectors.floats("weights").prefix(256))
        let theirs = Array(try BlockVectors.floats("\(type.rawValue).decoded").prefix(256))
        let ours = try decode(encode(weights, .block(type)), .block(type), columns: 256)
        #expect(squaredDistance(ours, weights) < squaredDistance(theirs, weights))
    }

    @Test(arguments: superBlocks) func zerosStayZeros(type: BlockEncoding) throws {
        let zeros = [Float](repeating: 0, count: 512)
        #expect(try decode(encode(zeros, .block(type)), .block(type), columns: 512) == zeros)
    }

    /// Weights of any kind, at any size: some result, and no trap.
    @Test(arguments: superBlocks) func survivesExtremes(type: BlockEncoding) throws {
        let sizes = [Float(1e-40), 1e-12, 1e-6, 1, 1e4, 1e9, 1e18, 1e30]
        var weights = sizes.flatMap { size in
            ExtremeWeights.allCases.flatMap { $0.row(size: size) }
        }
        let decoded = try decode(
            encode(weights, .block(type)), .block(type), columns: weights.count)
        #expect(decoded.allSatisfy { $0.isFinite })

        for (place, strange) in [Float.nan, .infinity, -.infinity].enumerated() {
            weights[place * 256 + 77] = strange
        }
        let codec = try RowCodec(.block(type), columns: weights.count)
        #expect(try encode(weights, .block(type)).count == codec.rowByteCount)
    }

    /// In sizes that halves can hold, nothing is far from where it should be.
    @Test(arguments: superBlocks)
    func errorsStayWithinASmallPartOfTheRange(type: BlockEncoding) throws {
        let bound: Float = type == .q2_K ? 0.35 : type == .q3_K ? 0.2 : 0.1
        let rows = [Float(1e-3), 1, 300].flatMap { size in
            ExtremeWeights.allCases.map { $0.row(size: size) }
        }
        let decoded = try decode(
            encode(rows.flatMap { $0 }, .block(type)), .block(type), columns: rows.count * 256)
        for (place, row) in rows.enumerated() {
            let energy = squaredDistance(row, [Float](repeating: 0, count: 256))
            let error = squaredDistance(row, Array(decoded[place * 256..<(place + 1) * 256]))
            #expect(error <= energy * bound * bound, "row \(place)")
        }
    }

    /// A half cannot say how small the unit of these would have to be; the next larger one will do.
    @Test(arguments: superBlocks) func weightsNearTheSmallestHalfAreNotLost(
        type: BlockEncoding
    ) throws {
        let weights = ExtremeWeights.normal.row(size: 2e-6)
        let decoded = try decode(encode(weights, .block(type)), .block(type), columns: 256)
        let nothing = squaredDistance(weights, [Float](repeating: 0, count: 256))
        #expect(squaredDistance(weights, decoded) < 0.5 * nothing)
    }

    @Test(arguments: superBlocks) func howManyBlocksAreEncodedTogetherMakesNoDifference(
        type: BlockEncoding
    ) throws {
        var generator = SeededGenerator(seed: 8)
        let weights = generator.normals(70 * 256)
        let together = try encode(weights, .block(type))
        let first = try encode(Array(weights.prefix(256)), .block(type))
        let others = try encode(Array(weights.dropFirst(256)), .block(type))
        #expect(together == first + others)
    }
}

/// Rows of 256 weights that are hard on scales.
private enum ExtremeWeights: CaseIterable {
    case normal, zeroBlocks, constant, negative, positive, outlier, tinyBeside

    func row(size: Float) -> [Float] {
        var generator = SeededGenerator(seed: 4)
        let normals = generator.normals(256)
        return switch self {
        case .normal: normals.map { $0 * size }
        case .zeroBlocks: normals.enumerated().map { $0 / 32 % 2 == 0 ? 0 : $1 * size }
        case .constant: normals.map { _ in size }
        case .negative: normals.map { -(2 + $0.magnitude) * size }
        case .positive: normals.map { (2 + $0.magnitude) * size }
        case .outlier: normals.enumerated().map { $0 == 100 ? -size : $1 * size * 1e-3 }
        case .tinyBeside: normals.enumerated().map { $0 < 128 ? $1 * size : $1 * size * 1e-5 }
        }
    }
}

@Suite struct LevelFitTests {
    /// The search for scales that are halves against its definition, in every bit: among its lanes are blocks of
    /// zeros, of numbers too small and too large for a half, and columns that count nothing.
    @Test(
        arguments: [BlockEncoding.q4_0, .q5_0, .q8_0, .iq4_nl, .tq2_0],
        [SearchEffort.quick, .thorough])
    func halfScalesMatchTheirDefinition(type: BlockEncoding, effort: SearchEffort) throws {
        let grid = try #require(LevelGrid(.block(type)))
        let search = ScaleSearch(grid, effort: effort)
        let columns = grid.weightsPerBlock
        var generator = SeededGenerator(seed: 21)
        let count = columns * Tile.lanes
        let x = Matrix(rows: columns, columns: Tile.lanes, generator.normals(count))
        let weights = Matrix(
            rows: columns, columns: Tile.lanes, generator.normals(count).map { max($0, 0) })
        for (lane, size) in [0, 1e-39, 3e-38, 1e-33, 1e-9, 1e-6, 3e4, 1e7, 1e30].enumerated() {
            for column in 0..<columns { x[column, 7 * lane] *= Float(size) }
        }
        weights.lanes(3).fillLanes(0)
        let block = WeightedBlock(x: x.lanes(0), weights: weights.lanes(0), count: columns)
        let found = Matrix(rows: 4, columns: Tile.lanes)
        // Their lanes outlive the last mention of them.
        defer { withExtendedLifetime((x, weights, found)) {} }
        search.fit(block, scales: found.lanes(0), minimums: found.lanes(1))
        search.fitReference(block, scales: found.lanes(2), minimums: found.lanes(3))
        for lane in 0..<Tile.lanes {
            #expect(found[0, lane].bitPattern == found[2, lane].bitPattern, "lane \(lane)")
            #expect(found[1, lane] == 0)
        }
    }

    /// The kernels against their definitions, in every bit.
    @Test(arguments: [BlockEncoding.q4_K, .q6_K, .iq4_xs], [1, 16, 33])
    func kernelsMatchTheirDefinitions(type: BlockEncoding, columns: Int) throws {
        let grid = try #require(LevelGrid(.block(type)))
        let rounding = LevelRounding(grid.levels)
        var generator = SeededGenerator(seed: 12)
        let count = columns * Tile.lanes
        let x = Matrix(rows: columns, columns: Tile.lanes, generator.normals(count))
        let weights = Matrix(
            rows: columns, columns: Tile.lanes, generator.normals(count).map(\.magnitude))
        let numbers = Matrix(rows: 3, columns: Tile.lanes, generator.normals(3 * Tile.lanes))
        for lane in 0..<Tile.lanes { numbers[0, lane] *= 0.02 }
        (x[0, 3], x[0, 4], numbers[2, 5]) = (.infinity, -1e30, 0)
        let block = WeightedBlock(x: x.lanes(0), weights: weights.lanes(0), count: columns)
        let (scales, minimums, inverses) = (numbers.lanes(0), numbers.lanes(1), numbers.lanes(2))

        let scratch = Matrix(rows: 12, columns: Tile.lanes)
        // Their lanes outlive the last mention of them.
        defer { withExtendedLifetime((x, weights, numbers, scratch)) {} }
        let (fast, plain) = (BlockSums(scratch, from: 0), BlockSums(scratch, from: 6))
        fast.collect(block, minimums: minimums, inverseScales: inverses, rounding: rounding)
        plain.collectReference(
            block, minimums: minimums, inverseScales: inverses, rounding: rounding)
        for (a, b) in [(fast.l, plain.l), (fast.ll, plain.ll), (fast.lx, plain.lx)] {
            for lane in 0..<Tile.lanes { #expect(a[lane].bitPattern == b[lane].bitPattern) }
        }

        let errors = Matrix(rows: 2, columns: Tile.lanes)
        block.addErrors(
            scales: scales, minimums: minimums, inverseScales: inverses, rounding: rounding,
            to: errors.lanes(0))
        block.addErrorsReference(
            scales: scales, minimums: minimums, inverseScales: inverses, rounding: rounding,
            to: errors.lanes(1))
        for lane in 0..<Tile.lanes {
            #expect(errors[0, lane].bitPattern == errors[1, lane].bitPattern)
        }

        let targets: [Float] = [-4, -3.5, 3.25, 7]
        let chosen = Matrix(rows: 2, columns: Tile.lanes)
        block.chooseScales(targets: targets, rounding: rounding, into: chosen.lanes(0))
        block.chooseScalesReference(targets: targets, rounding: rounding, into: chosen.lanes(1))
        for lane in 0..<Tile.lanes {
            #expect(chosen[0, lane].bitPattern == chosen[1, lane].bitPattern)
        }

        let tallies = Matrix(rows: 4, columns: Tile.lanes, generator.normals(4 * Tile.lanes))
        for row in 0..<2 { tallies.lanes(2 + row).copyLanes(tallies.lanes(row)) }
        var codes = [Int8](repeating: 1, count: count)
        var plainCodes = [Int8](repeating: 2, count: count)
        let counts = generator.normals(columns).map(\.magnitude)
        defer { withExtendedLifetime((chosen, tallies)) {} }
        counts.withUnsafeBufferPointer {
            rounding.encode(
                x.lanes(0), counts: $0, scales: scales, minimums: minimums,
                inverseScales: inverses, into: &codes, squares: tallies.lanes(0),
                errors: tallies.lanes(1))
            rounding.encodeReference(
                x.lanes(0), counts: $0, scales: scales, minimums: minimums,
                inverseScales: inverses, into: &plainCodes, squares: tallies.lanes(2),
                errors: tallies.lanes(3))
        }
        #expect(codes == plainCodes)
        for row in 0..<2 {
            for lane in 0..<Tile.lanes {
                #expect(tallies[row, lane].bitPattern == tallies[2 + row, lane].bitPattern)
            }
        }

        let factor = Matrix(
            rows: columns, columns: columns, generator.normals(columns * columns).map { $0 * 0.3 })
        let rates = Matrix(rows: 1, columns: columns, generator.normals(columns).map(\.magnitude))
        defer { withExtendedLifetime((factor, rates)) {} }
        let levels = Matrix(rows: 2 * columns, columns: Tile.lanes)
        let feedback = BlockFeedback(
            count: columns, factor: factor.pointer(toRow: 0), rates: rates.pointer(toRow: 0))
        rounding.feedBack(
            x.lanes(0), feedback, scales: scales, minimums: minimums, inverseScales: inverses,
            into: levels.lanes(0), errors: errors.lanes(0))
        rounding.feedBackReference(
            x.lanes(0), feedback, scales: scales, minimums: minimums, inverseScales: inverses,
            into: levels.lanes(columns), errors: errors.lanes(1))
        for lane in 0..<Tile.lanes where x[0, lane].isFinite {
            #expect(errors[0, lane].bitPattern == errors[1, lane].bitPattern)
            for column in 0..<columns {
                #expect(levels[column, lane] == levels[columns + column, lane])
            }
        }
    }
}

func squaredDistance(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
}

extension LevelGrid {
    /// What can be stored as a level.
    fileprivate var storedRange: ClosedRange<Int> {
        switch levels {
        case .uniform(let range): range
        case .codebook(let codebook): 0...codebook.count - 1
        }
    }

    /// What the levels multiply a scale by.
    fileprivate var values: [Float] {
        switch levels {
        case .uniform(let range): range.map(Float.init)
        case .codebook(let codebook): codebook.map(Float.init)
        }
    }
}
