import BlockFormats
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Quantization

@Suite struct GPTQTests {
    @Test(arguments: encodings, ColumnOrder.allCases)
    func isBetterThanRoundingToNearest(encoding: Encoding, order: ColumnOrder) throws {
        let layer = Layer()
        let result = try GPTQ().quantize(
            layer.weights, to: encoding, hessian: Hessian(layer.hessian, order: order),
            workers: oneWorker)
        let report = result.report
        #expect(report.relativeError < 0.8 * report.relativeErrorOfRoundingToNearest)
        #expect(report.fallback == nil && report.dampingFraction == Hessian.usualDampingFraction)

        // What is reported is what the weights say.
        let error = layer.errors(of: result.decoded).reduce(0, +)
        let nothing = Matrix(rows: layer.weights.rows, columns: layer.weights.columns)
        let expected = error / layer.errors(of: nothing).reduce(0, +)
        #expect(abs(report.relativeError - expected) <= expected * 0.01 + floatNoise)
    }

    @Test(arguments: encodings)
    func returnsTheWeightsThatItsBytesDecodeTo(encoding: Encoding) throws {
        let layer = Layer(rows: 70)
        let result = try GPTQ().quantize(
            layer.weights, to: encoding, hessian: Hessian(layer.hessian), workers: oneWorker)
        let codec = try RowCodec(encoding, columns: layer.weights.columns)
        let decoded = Matrix(rows: 70, columns: layer.weights.columns)
        result.bytes.withUnsafeBytes { codec.decode($0, into: decoded.elements) }
        #expect(decoded.values.map(\.bitPattern) == result.decoded.values.map(\.bitPattern))
        #expect(result.encoding == encoding)
    }

    /// The tile holds `scale * level + minimum` to the last bit of what a reader computes: what the
    /// descent believed about an error is true of the file.
    @Test(arguments: encodings)
    func tilesHoldWhatReadersDecode(encoding: Encoding) throws {
        let layer = Layer(rows: 5)
        let grid = try #require(LevelGrid(encoding))
        let hessian = Hessian(layer.hessian)
        let pass = GPTQTile(
            target: try Tile.gather(0..<5, of: layer.weights), grid: grid, hessian: hessian)
        _ = pass.run(GPTQ(), factor: try #require(hessian.factor))
        let builder = try QuantizedMatrixBuilder(grid, rows: 5, columns: 96)
        builder.store(pass.tile, rows: 0..<5)
        let decoded = builder.finish(
            QuantizationReport(
                relativeError: 0, relativeErrorOfRoundingToNearest: 0, squaredOutput: 0)
        ).decoded
        for row in 0..<5 {
            for column in 0..<96 {
                let block = column / grid.weightsPerBlock
                let held =
                    pass.tile.scales[block, row] * pass.tile.levels[column, row]
                    + pass.tile.minimums[block, row]
                #expect(held == decoded[row, column])
            }
        }
    }

    @Test(arguments: [2, 3, 8])
    func threadCountNeverChangesBytes(threadCount: Int) throws {
        let layer = Layer(rows: 200)
        let hessian = Hessian(layer.hessian)
        for encoding in [Encoding.block(.q4_0), grouped[2]] {
            let one = try GPTQ().quantize(
                layer.weights, to: encoding, hessian: hessian, workers: oneWorker)
            let many = try GPTQ().quantize(
                layer.weights, to: encoding, hessian: hessian,
                workers: Workers(threadCount: threadCount))
            #expect(one.bytes == many.bytes)
            #expect(one.report == many.report)
        }
    }

    /// Sums of products are grouped otherwise, so a weight that lies between two levels may fall to
    /// the other side, and others follow it; nothing else may change.
    @Test(arguments: [1, 7, 32, 96, 1000], ColumnOrder.allCases)
    func batchSizeChangesSpeedNotResult(batchSize: Int, order: ColumnOrder) throws {
        let layer = Layer()
        let hessian = Hessian(layer.hessian, order: order)
        var method = GPTQ()
        let usual = try method.quantize(
            layer.weights, to: .block(.q4_0), hessian: hessian, workers: oneWorker)
        method.batchSize = batchSize
        let other = try method.quantize(
            layer.weights, to: .block(.q4_0), hessian: hessian, workers: oneWorker)
        let differing = zip(usual.decoded.values, other.decoded.values).count { $0 != $1 }
        #expect(differing <= usual.decoded.elements.count / 50)
        #expect(abs(usual.report.relativeError / other.report.relativeError - 1) < 0.01)
    }

    @Test(arguments: [BlockEncoding.q2_K, .q4_K, .q6_K, .iq4_xs, .iq2_s])
    func superBlocksAreSearchedUnderTheSizeOfInputsUnlessToldOtherwise(
        type: BlockEncoding
    ) throws {
        let layer = Layer(rows: 8, columns: 256)
        var method = GPTQ()
        func report() throws -> QuantizationReport {
            try method.quantize(
                layer.weights, to: .block(type), hessian: Hessian(layer.hessian),
                workers: oneWorker
            ).report
        }
        let weighted = try report()
        method.weighsColumns = false
        let plain = try report()
        #expect(
            weighted.relativeErrorOfRoundingToNearest < plain.relativeErrorOfRoundingToNearest)
        for each in [weighted, plain] {
            #expect(each.relativeError < 0.9 * each.relativeErrorOfRoundingToNearest)
        }
    }

    @Test(arguments: encodings) func laterStepsNeverRaiseARowsError(encoding: Encoding) throws {
        let layer = Layer()
        let hessian = Hessian(layer.hessian)
        var previous: [Double]?
        // Each of these does what the one before it does, and then something more.
        for (refits, blocks, passes, restarts) in [
            (0, 0, 0, 0), (1, 0, 0, 0), (1, 1, 0, 0), (1, 2, 0, 0), (1, 2, 1, 0), (1, 2, 2, 0),
            (1, 2, 2, 1),
        ] {
            var method = GPTQ()
            (method.refits, method.descentPasses) = (refits, passes)
            (method.blockPasses, method.superBlockPasses) = (blocks, blocks)
            method.restarts = restarts
            let result = try method.quantize(
                layer.weights, to: encoding, hessian: hessian, workers: oneWorker)
            let errors = layer.errors(of: result.decoded, damping: hessian.damping)
            for (now, before) in zip(errors, previous ?? errors) {
                #expect(now <= before * (1 + 1e-4) + floatNoise)
            }
            previous = errors
        }
    }

    /// Where scales are halves. Others have so many neighbours that sums of `Float` cannot tell
    /// them apart; and the reference encoder of IQ4_NL may scale a block such that its codes fit
    /// another.
    @Test(arguments: [
        Encoding.block(.q4_0), .block(.q5_0), .block(.q8_0), .block(.q4_1), .block(.q5_1),
        grouped[0], grouped[2],
    ])
    func weightsOnTheGridStayThere(encoding: Encoding) throws {
        let layer = Layer()
        let onGrid = try layer.weights.reencoded(as: encoding)
        for order in ColumnOrder.allCases {
            let result = try GPTQ().quantize(
                onGrid, to: encoding, hessian: Hessian(layer.hessian, order: order),
                workers: oneWorker)
            #expect(result.decoded.values == onGrid.values)
        }
        let nearest = try RoundToNearest().quantize(onGrid, to: encoding, workers: oneWorker)
        #expect(nearest.decoded.values == onGrid.values)
    }

    @Test func columnsWithoutInputBecomeZero() throws {
        let layer = Layer()
        for dead in [3, 40] {
            for other in 0..<96 {
                (layer.hessian[dead, other], layer.hessian[other, dead]) = (0, 0)
            }
        }
        let hessian = Hessian(layer.hessian)
        let result = try GPTQ().quantize(
            layer.weights, to: .block(.q4_0), hessian: hessian, workers: oneWorker)
        #expect(hessian.deadColumns == [3, 40])
        #expect(result.report.deadColumnCount == 2)
        #expect(result.report.fallback == nil)
        for row in 0..<24 {
            #expect(result.decoded[row, 3] == 0 && result.decoded[row, 40] == 0)
            #expect(result.decoded[row, 5] != 0 || layer.weights[row, 5].magnitude < 0.5)
        }
    }

    @Test(arguments: [(Float.nan, 0, 0), (.infinity, 7, 95), (-.infinity, 69, 31)])
    func namesAWeightThatIsNotFinite(value: Float, row: Int, column: Int) throws {
        let layer = Layer(rows: 70)
        layer.weights[row, column] = value
        let expected = QuantizationError.nonFiniteWeight(row: row, column: column)
        #expect(throws: expected) {
            try GPTQ().quantize(
                layer.weights, to: .block(.q4_0), hessian: Hessian(layer.hessian),
                workers: oneWorker)
        }
        #expect(throws: expected) {
            try RoundToNearest().quantize(layer.weights, to: .block(.q4_0), workers: oneWorker)
        }
    }

    @Test func refusesWhatDoesNotFit() throws {
        let layer = Layer(rows: 2)
        let hessian = Hessian(layer.hessian)
        func attempt(_ columns: Int, _ encoding: Encoding) throws {
            _ = try GPTQ().quantize(
                Matrix(rows: 2, columns: columns), to: encoding, hessian: hessian,
                workers: oneWorker)
        }
        #expect(throws: QuantizationError.unsupportedEncoding("F16")) {
            try attempt(96, .scalar(.f16))
        }
        #expect(throws: QuantizationError.widthMismatch(columns: 64, statistics: 96)) {
            try attempt(64, .block(.q4_0))
        }
        let narrow = Hessian(Layer(rows: 1, columns: 33).hessian)
        #expect(throws: QuantizationError.unsupportedWidth(columns: 33, encoding: "Q4_0")) {
            try GPTQ().quantize(
                Matrix(rows: 1, columns: 33), to: .block(.q4_0), hessian: narrow,
                workers: oneWorker)
        }
    }

    /// Weights, inputs or both at the edge of what numbers can say: some result, and no trap.
    @Test(arguments: [Float(0), 1e-38, 1e-8, 1e6, 1e18], encodings)
    func survivesExtremes(size: Float, encoding: Encoding) throws {
        let layer = Layer(rows: 3)
        for index in layer.weights.elements.indices { layer.weights.elements[index] *= size }
        let result = try GPTQ().quantize(
            layer.weights, to: encoding, hessian: Hessian(layer.hessian), workers: oneWorker)
        #expect(result.decoded.values.allSatisfy { $0.isFinite })
    }
}

/// Errors of weights of magnitude 1 are squares of numbers with 24 bits.
let floatNoise = 1e-9
