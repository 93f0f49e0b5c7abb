import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

private let codebookEncodings: [BlockEncoding] = [
    .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s,
]

/// What a block can be besides ordinary.
enum Oddity: CaseIterable {
    case constant, tiny, subnormal, large, outlier, oneAlone, someZeros, oneSign

    func weight(_ x: Float, at column: Int) -> Float {
        switch self {
        case .constant: 0.75
        case .tiny: x * 1e-4
        case .subnormal: x * 1e-38
        case .large: x * 1e5
        case .outlier: column == 100 ? 30 : x
        case .oneAlone: column == 5 ? -3 : 0
        case .someZeros: column < 64 ? 0 : x
        case .oneSign: -x.magnitude
        }
    }
}

@Suite struct CodebookTests {
    private func grid(_ encoding: BlockEncoding) throws -> CodebookGrid {
        try #require(CodebookGrid(.block(encoding)))
    }

    private func weights(seed: UInt64, count: Int = 256) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return generator.normals(count).map { $0 * 0.05 }
    }

    private func squaredError(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    }

    @Test func codebooksHaveTheSizesOfTheFormat() {
        let sizes: [(Codebook, (Int, Int))] = [
            (.iq1, (4096, 8)), (.iq2_xxs, (256, 8)), (.iq2_xs, (512, 8)), (.iq2_s, (1024, 8)),
            (.iq3_xxs, (256, 4)), (.iq3_s, (512, 4)),
        ]
        for (codebook, size) in sizes {
            #expect(codebook.count == size.0 && codebook.dimensions == size.1)
        }
    }

    @Test(arguments: codebookEncodings) func packingKeepsEveryNumber(
        encoding: BlockEncoding
    ) throws {
        let grid = try grid(encoding)
        var generator = SeededGenerator(seed: 3)
        var block = CodebookBlock(grid)
        block.unit = 0.03125
        for i in block.scaleCodes.indices {
            block.scaleCodes[i] = .random(in: 0..<UInt8(grid.scaleCodeCount), using: &generator)
        }
        for i in block.entries.indices {
            block.entries[i] = .random(in: 0..<UInt16(grid.codebook.count), using: &generator)
            if grid.sharesShift, i % 4 > 0 {
                block.entries[i] = block.entries[i] % 2048 + block.entries[i - i % 4] / 2048 * 2048
            }
        }
        if grid.signs != .none {
            for i in block.signs.indices {
                let bits = UInt8.random(in: 0...255, using: &generator)
                block.signs[i] = grid.signs == .even ? evenSigns(bits) : bits
            }
        }
        var bytes = [UInt8](repeating: 0xA5, count: encoding.bytesPerBlock)
        bytes.withUnsafeMutableBytes { grid.pack(block, into: $0) }
        var found = CodebookBlock(grid)
        bytes.withUnsafeBytes { grid.unpack($0, into: &found) }
        #expect(found == block)
    }

    @Test(arguments: codebookEncodings, 1...20 as ClosedRange<UInt64>)
    func everyPatternOfBytesDecodes(encoding: BlockEncoding, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = (0..<encoding.bytesPerBlock).map { _ in
            UInt8.random(in: 0...255, using: &generator)
        }
        _ = try decode(bytes, .block(encoding), columns: 256)
    }

    /// For the scales that were chosen, no other vectors and signs are nearer, whatever the weights of
    /// the columns: the search leaves nothing out.
    @Test(arguments: codebookEncodings) func noOtherVectorIsNearer(encoding: BlockEncoding) throws {
        let grid = try grid(encoding)
        var generator = SeededGenerator(seed: 5)
        let x = generator.normals(256)
        let importance = (0..<256).map { _ in Float.random(in: 0.1...3, using: &generator) }
        let search = CodebookSearch(grid)
        search.setWeights(importance)
        var block = CodebookBlock(grid)
        search.fit(x, into: &block)
        var decoded = [Float](repeating: 0, count: 256)
        decoded.withUnsafeMutableBufferPointer { grid.expand(block, into: $0) }
        for group in 0..<32 {
            let columns = 8 * group..<8 * group + 8
            let scale =
                block.unit * grid.multiplier(block.scaleCodes[8 * group / grid.weightsPerScale])
            let cost = columns.reduce(0) {
                $0 + importance[$1] * (x[$1] - decoded[$1]) * (x[$1] - decoded[$1])
            }
            let half = Int(block.entries[group % block.entries.count]) / 2048
            let range =
                grid.sharesShift ? half * 2048..<half * 2048 + 2048 : 0..<grid.codebook.count
            let least = leastCost(
                grid, Array(x[columns]), Array(importance[columns]), scale: scale, range)
            #expect(cost <= least * 1.0001)
        }
    }

    /// The least weighted error of eight weights over all vectors and allowed signs.
    private func leastCost(
        _ grid: CodebookGrid, _ x: [Float], _ importance: [Float], scale: Float, _ range: Range<Int>
    ) -> Float {
        let dimensions = grid.codebook.dimensions
        // By parity of changed signs: the least cost of each part, added up over parts.
        var least: (even: Float, odd: Float) = (0, .infinity)
        for first in stride(from: 0, to: 8, by: dimensions) {
            var part: (even: Float, odd: Float) = (.infinity, .infinity)
            for entry in range {
                var (cost, change): (Float, Float) = (0, .infinity)
                for i in 0..<dimensions {
                    let level = scale * grid.codebook.entries[entry * dimensions + i]
                    let value = grid.signs == .none ? x[first + i] : x[first + i].magnitude
                    let weight = importance[first + i]
                    cost += weight * (value - level) * (value - level)
                    change = min(change, weight * 4 * value * level)
                }
                part.even = min(part.even, cost)
                part.odd = min(part.odd, cost + change)
            }
            least = (
                min(least.even + part.even, least.odd + part.odd),
                min(least.even + part.odd, least.odd + part.even)
            )
        }
        let isOdd = x.filter { $0 < 0 }.count % 2 == 1
        return grid.signs == .even && isOdd ? least.odd : least.even
    }

    @Test(arguments: codebookEncodings) func searchesMatchTheirDefinition(
        encoding: BlockEncoding
    ) throws {
        let codebook = try grid(encoding).codebook
        var generator = SeededGenerator(seed: 7)
        let (count, dimensions) = (codebook.count, codebook.dimensions)
        let targets = generator.normals(dimensions).map { $0.magnitude }
        let weights = generator.normals(dimensions).map { $0.magnitude }
        let (a, b, c) = (Numbers(count), Numbers(count), Numbers(count))
        func values(_ numbers: Numbers) -> [Float] { (0..<count).map { numbers[$0] } }
        codebook.squares(weights: weights, into: a.start)
        codebook.products(targets: targets, into: b.start, flipped: c.start)
        #expect(values(a) == CodebookReference.squares(codebook, weights: weights))
        let expected = CodebookReference.products(codebook, targets: targets)
        #expect(values(b) == expected.products && values(c) == expected.flipped)
        for scale in [0.001, 0.03, 0.2, 1] as [Float] {
            let found = Codebook.nearest(
                squares: a.start, products: b.start, count: count, scale: scale)
            #expect(
                found
                    == CodebookReference.nearest(
                        squares: values(a), products: values(b), scale: scale))
            let form = generator.normals(64)
            let least = codebook.least(in: count / 2..<count, form: form, linear: targets)
            let reference = CodebookReference.least(
                codebook, in: count / 2..<count, form: form, linear: targets)
            #expect(least == reference)
        }
    }

    @Test(arguments: codebookEncodings) func zerosStayZeros(encoding: BlockEncoding) throws {
        let zeros = [Float](repeating: 0, count: 256)
        let decoded = try decode(
            encode(zeros, .block(encoding)), .block(encoding), columns: 256)
        #expect(decoded == zeros)
    }

    /// Whatever the weights, what is written is finite and no worse than zeros.
    @Test(arguments: codebookEncodings, Oddity.allCases)
    func oddBlocksLoseLessThanZeros(encoding: BlockEncoding, oddity: Oddity) throws {
        let x = weights(seed: 11).enumerated().map { oddity.weight($1, at: $0) }
        let decoded = try decode(encode(x, .block(encoding)), .block(encoding), columns: 256)
        #expect(decoded.allSatisfy { $0.isFinite })
        let zeros = [Float](repeating: 0, count: 256)
        #expect(squaredError(decoded, x) <= squaredError(zeros, x))
    }

    @Test(
        arguments: codebookEncodings, [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude])
    func strangeWeightsDoNotTrap(encoding: BlockEncoding, strange: Float) throws {
        var x = weights(seed: 12)
        x[77] = strange
        let decoded = try decode(encode(x, .block(encoding)), .block(encoding), columns: 256)
        #expect(decoded.allSatisfy { $0.isFinite })
    }

    /// More bits, less error: the encodings keep their order.
    @Test func errorsFallWithSize() throws {
        let x = weights(seed: 13, count: 4096)
        let errors = try codebookEncodings.map { encoding in
            squaredError(
                try decode(encode(x, .block(encoding)), .block(encoding), columns: 4096), x)
        }
        #expect(errors == errors.sorted(by: >))
    }
}
