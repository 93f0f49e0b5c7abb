import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Quantization

@Suite struct HessianTests {
    @Test(arguments: ColumnOrder.allCases)
    func theFactorIsThatOfTheInverse(order: ColumnOrder) throws {
        let hessian = Hessian(Layer(columns: 48).hessian, order: order)
        let factor = try #require(hessian.factor)
        // Uᵀ·U is the inverse, so H·(Uᵀ·U) = 1, in the order of rounding.
        for row in 0..<48 {
            for column in 0..<48 {
                var sum = 0.0
                for k in 0..<48 {
                    var inverse = 0.0
                    for j in 0..<48 { inverse += Double(factor[k, j]) * Double(factor[column, j]) }
                    sum += Double(hessian.damped[hessian.order[row], hessian.order[k]]) * inverse
                }
                // The condition number is below 1e4, and numbers have 24 bits.
                #expect(abs(sum - (row == column ? 1 : 0)) < 1e-3)
            }
        }
        for row in 0..<48 { for column in row + 1..<48 { #expect(factor[row, column] == 0) } }
    }

    @Test func activationOrderPutsLargeInputsFirst() {
        let layer = Layer()
        let hessian = Hessian(layer.hessian)
        let sizes = hessian.order.map { layer.hessian[$0, $0] }
        #expect(sizes == sizes.sorted(by: >))
        #expect(hessian.order.sorted() == Array(0..<96))
        #expect(Hessian(layer.hessian, order: .natural).order == Array(0..<96))
    }

    @Test func leavesTheCallersMatrixAlone() {
        let layer = Layer()
        let before = layer.hessian.values
        _ = Hessian(layer.hessian)
        #expect(layer.hessian.values == before)
    }

    @Test func fewTokensNeedNoMoreThanTheUsualDamping() {
        let hessian = Hessian(Layer(tokens: 5).hessian)
        #expect(hessian.fallback == nil && hessian.dampingFraction == Hessian.usualDampingFraction)
    }

    /// Mean diagonal 1 and a smallest eigenvalue of `lowest`: damping must outweigh that.
    @Test(arguments: [(Float(-0.1), Float(0.5)), (-0.6, 1)])
    func dampingRisesUntilTheFactorExists(lowest: Float, fraction: Float) throws {
        let hessian = Hessian(indefinite(lowest: lowest))
        #expect(abs(hessian.dampingFraction - fraction) < fraction * 1e-5)
        #expect(hessian.fallback == nil && hessian.factor != nil)
    }

    @Test func withoutAFactorWeightsAreRoundedToNearestAndTheReportSaysSo() throws {
        let layer = Layer(columns: 64)
        let hessian = Hessian(indefinite(lowest: -1.5))
        let expected = GPTQFallback.hessianNotPositiveDefinite(dampingFraction: 1)
        #expect(hessian.factor == nil)
        let result = try GPTQ().quantize(
            layer.weights, to: .block(.q4_0), hessian: hessian, workers: oneWorker)
        let nearest = try RoundToNearest().quantize(
            layer.weights, to: .block(.q4_0), importance: hessian.diagonal, workers: oneWorker)
        #expect(result.bytes == nearest.bytes)
        #expect(result.report.fallback == expected && result.report.dampingFraction == nil)
        #expect(expected.description.contains("not positive definite"))
    }

    @Test(arguments: [
        (Float.nan, GPTQFallback.hessianNotFinite), (.infinity, .hessianNotFinite),
        (0, .noActivations),
    ])
    func uselessStatisticsFallBack(value: Float, fallback: GPTQFallback) throws {
        let matrix = Matrix(rows: 64, columns: 64)
        matrix[3, 5] = value
        let result = try GPTQ().quantize(
            Layer(columns: 64).weights, to: .block(.q4_0), hessian: Hessian(matrix),
            workers: oneWorker)
        #expect(result.report.fallback == fallback)
        #expect(result.report.relativeError < 0.05)
    }

    /// Ones on the diagonal, and pairs of columns whose difference has the eigenvalue `lowest`.
    private func indefinite(lowest: Float) -> Matrix {
        let matrix = Matrix(rows: 64, columns: 64)
        for column in 0..<64 { matrix[column, column] = 1 }
        for column in stride(from: 0, to: 64, by: 2) {
            (matrix[column, column + 1], matrix[column + 1, column]) = (1 - lowest, 1 - lowest)
        }
        return matrix
    }
}
