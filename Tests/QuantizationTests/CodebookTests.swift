import BlockFormats
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Quantization

private let codebookEncodings: [BlockEncoding] = [
    .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s,
]

@Suite struct CodebookTests {
    /// Wide enough for a super-block, few rows: debug builds search slowly.
    private static let layer = Layer(rows: 3, columns: 256, tokens: 300)

    @Test(arguments: codebookEncodings, ColumnOrder.allCases)
    func isBetterThanRoundingToNearest(encoding: BlockEncoding, order: ColumnOrder) throws {
        let layer = Self.layer
        let result = try GPTQ().quantize(
            layer.weights, to: .block(encoding), hessian: Hessian(layer.hessian, order: order),
            workers: oneWorker)
        let report = result.report
        #expect(report.relativeError < 0.8 * report.relativeErrorOfRoundingToNearest)
        #expect(report.fallback == nil && report.dampingFraction == Hessian.usualDampingFraction)

        // What is reported is what the weights say.
        let error = layer.errors(of: result.decoded).reduce(0, +)
        let nothing = Matrix(rows: layer.weights.rows, columns: layer.weights.columns)
        let expected = error / layer.errors(of: nothing).reduce(0, +)
        #expect(abs(report.relativeError - expected) <= expected * 0.01)
    }

    @Test(arguments: codebookEncodings)
    func returnsTheWeightsThatItsBytesDecodeTo(encoding: BlockEncoding) throws {
        let layer = Self.layer
        for result in [
            try GPTQ().quantize(
                layer.weights, to: .block(encoding), hessian: Hessian(layer.hessian),
                workers: oneWorker),
            try RoundToNearest().quantize(
                layer.weights, to: .block(encoding), importance: layer.diagonal,
                workers: oneWorker),
        ] {
            let codec = try RowCodec(.block(encoding), columns: layer.weights.columns)
            let decoded = Matrix(rows: layer.weights.rows, columns: layer.weights.columns)
            result.bytes.withUnsafeBytes { codec.decode($0, into: decoded.elements) }
            #expect(decoded.values.map(\.bitPattern) == result.decoded.values.map(\.bitPattern))
            #expect(result.encoding == .block(encoding))
        }
    }

    /// Importance makes the error smaller where it is measured with the same importance.
    @Test(arguments: codebookEncodings)
    func importanceLowersTheErrorThatItWeighs(encoding: BlockEncoding) throws {
        let layer = Self.layer
        func error(_ importance: [Float]?) throws -> Double {
            let result = try RoundToNearest().quantize(
                layer.weights, to: .block(encoding), importance: importance, workers: oneWorker)
            return (0..<layer.weights.rows).reduce(0.0) { sum, row in
                sum
                    + layer.diagonal.indices.reduce(0.0) {
                        let error = layer.weights[row, $1] - result.decoded[row, $1]
                        return $0 + Double(layer.diagonal[$1] * error * error)
                    }
            }
        }
        let (weighted, plain) = (try error(layer.diagonal), try error(nil))
        #expect(weighted < plain)
    }

    @Test(arguments: [2, 3, 8]) func threadCountNeverChangesBytes(threadCount: Int) throws {
        let layer = Layer(rows: 70, columns: 256, tokens: 300)
        let hessian = Hessian(layer.hessian)
        func bytes(_ workers: Workers) throws -> [UInt8] {
            try GPTQ().quantize(
                layer.weights, to: .block(.iq2_xxs), hessian: hessian, workers: workers
            ).bytes
                + RoundToNearest().quantize(
                    layer.weights, to: .block(.iq3_xxs), importance: layer.diagonal,
                    workers: workers
                ).bytes
        }
        let (many, one) = (try bytes(Workers(threadCount: threadCount)), try bytes(oneWorker))
        #expect(many == one)
    }

    @Test func refusesWidthsThatAreNotWholeSuperBlocks() throws {
        let weights = Matrix(rows: 1, columns: 96)
        #expect(throws: QuantizationError.unsupportedWidth(columns: 96, encoding: "IQ2_S")) {
            try RoundToNearest().quantize(weights, to: .block(.iq2_s), workers: oneWorker)
        }
    }

    @Test func namesTheWeightThatIsNotFinite() throws {
        let layer = Layer(rows: 70, columns: 256, tokens: 300)
        layer.weights[69, 33] = .nan
        let expected = QuantizationError.nonFiniteWeight(row: 69, column: 33)
        #expect(throws: expected) {
            try RoundToNearest().quantize(layer.weights, to: .block(.iq2_s), workers: oneWorker)
        }
        #expect(throws: expected) {
            try GPTQ().quantize(
                layer.weights, to: .block(.iq2_s), hessian: Hessian(layer.hessian),
                workers: oneWorker)
        }
    }

    @Test(arguments: codebookEncodings) func zerosStayZeros(encoding: BlockEncoding) throws {
        let layer = Layer(rows: 2, columns: 256, tokens: 300)
        let zeros = Matrix(rows: 2, columns: 256)
        let result = try GPTQ().quantize(
            zeros, to: .block(encoding), hessian: Hessian(layer.hessian), workers: oneWorker)
        #expect(result.decoded.values == zeros.values)
        #expect(result.report.relativeError == 0)
    }
}
