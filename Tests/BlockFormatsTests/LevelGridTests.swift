import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

@Suite struct LevelGridTests {
    static let encodings: [Encoding] =
        encodableBlocks.map { .block($0) } + groupedEncodings.map { .grouped($0) }
    /// Grids of three levels, and ones whose scales are far apart.
    static let small: [Encoding] = [.block(.tq1_0), .block(.tq2_0), .block(.mxfp4)]

    /// What can be stored as a level.
    private static func storable(_ grid: LevelGrid) -> ClosedRange<Int8> {
        switch grid.levels {
        case .uniform(let range): Int8(range.lowerBound)...Int8(range.upperBound)
        case .codebook(let levels): 0...Int8(levels.count - 1)
        }
    }

    private static func value(of level: Int8, in grid: LevelGrid) -> Float {
        switch grid.levels {
        case .uniform: Float(level)
        case .codebook(let levels): Float(levels[Int(level)])
        }
    }

    /// The promise that passes build on: what they computed is what a reader will see.
    @Test(arguments: encodings + small, [0.013, -0.2, 3e-6, 1e30] as [Float])
    func packedBlocksDecodeToScaleTimesLevelPlusMinimum(encoding: Encoding, scale: Float) throws {
        let grid = try #require(LevelGrid(encoding))
        var generator = SeededGenerator(seed: 5)
        for minimum in [0, -5.3 * scale, 0.7, -1e-5] {
            let stored = grid.representable(scale: scale, minimum: minimum)
            let levels = (0..<grid.weightsPerBlock).map { _ in
                Int8.random(in: Self.storable(grid), using: &generator)
            }
            var block = [UInt8](repeating: 0xA5, count: grid.bytesPerBlock)
            block.withUnsafeMutableBytes {
                grid.pack(
                    levels: levels, scale: stored.scale, minimum: stored.minimum, into: $0)
            }
            let expected = levels.map {
                stored.scale * Self.value(of: $0, in: grid) + stored.minimum
            }
            let decoded = try decode(block, encoding, columns: grid.weightsPerBlock)
            if case .grouped(let grouped) = encoding, grouped.offset == .bias, grouped.bits == 8 {
                // The bias belongs to code 0, the minimum to level 0: here the sum is rounded twice.
                for (a, b) in zip(decoded, expected) {
                    #expect(
                        (a - b).magnitude <= (255 * stored.scale.magnitude + a.magnitude) * 0x1p-22)
                }
            } else {
                #expect(decoded == expected)
            }

            var unpacked = [Int8](repeating: 99, count: grid.weightsPerBlock)
            let (readScale, readMinimum) = block.withUnsafeBytes {
                grid.unpack($0, levels: &unpacked)
            }
            #expect(unpacked == levels)
            #expect(readScale == stored.scale)
            #expect(readMinimum == stored.minimum)
        }
    }

    @Test(arguments: encodings) func representableNumbersStayAsTheyAre(encoding: Encoding) throws {
        let grid = try #require(LevelGrid(encoding))
        let once = grid.representable(scale: 0.0123, minimum: -0.045)
        let twice = grid.representable(scale: once.scale, minimum: once.minimum)
        #expect(once == twice)
        #expect((once.scale - 0.0123).magnitude <= 0.0123 * 0x1p-8)
    }

    @Test(arguments: encodings + small) func nothingRepresentableIsInfinite(
        encoding: Encoding
    ) throws {
        let grid = try #require(LevelGrid(encoding))
        let extremes: [Float] = [
            .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0,
            .leastNonzeroMagnitude, 1,
        ]
        for scale in extremes {
            for minimum in extremes {
                let stored = grid.representable(scale: scale, minimum: minimum)
                for level in [Self.storable(grid).lowerBound, Self.storable(grid).upperBound] {
                    let weight = stored.scale * Self.value(of: level, in: grid) + stored.minimum
                    #expect(weight.isFinite, "scale \(scale), minimum \(minimum)")
                }
            }
        }
    }

    @Test func scalesOfMXFP4ArePowersOfTwo() throws {
        let grid = try #require(LevelGrid(.block(.mxfp4)))
        for (asked, held) in [(0.013, 0x1p-6), (0.75, 0.5), (0.7501, 1), (1, 1)] as [(Float, Float)]
        {
            #expect(grid.representable(scale: asked, minimum: 1) == (held, 0))
        }
    }

    @Test func theLastGroupOfARowMayBeShort() throws {
        let encoding = Encoding.grouped(GroupedAffine(bits: 5, groupSize: 16, offset: .symmetric))
        let grid = try #require(LevelGrid(encoding))
        let levels: [Int8] = [-16, 15, 0, 7, -1]
        var block = [UInt8](repeating: 0xFF, count: grid.bytesPerBlock)
        block.withUnsafeMutableBytes {
            grid.pack(levels: levels, count: 5, scale: 0.5, minimum: 0, into: $0)
        }
        #expect(try decode(block, encoding, columns: 5) == [-8, 7.5, 0, 3.5, -0.5])
    }

    @Test(arguments: [Encoding.scalar(.f16), .block(.nvfp4), .block(.q8_1)])
    func otherEncodingsHaveNoGrid(encoding: Encoding) { #expect(LevelGrid(encoding) == nil) }
}
