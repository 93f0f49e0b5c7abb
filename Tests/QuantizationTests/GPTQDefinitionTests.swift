import BlockFormats
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Quantization

/// GPTQ against its definition: no batches, no Cholesky factor, one row and one column at a time,
/// in double precision. After each column the inverse Hessian of the columns that are left is found
/// by one step of Gaussian elimination (Frantar et al. 2022, equations 2 and 3).
@Suite struct GPTQDefinitionTests {
    @Test(arguments: [Encoding.block(.q4_0), .block(.q5_1), .block(.iq4_nl)], ColumnOrder.allCases)
    func choosesTheCodesOfTheDefinition(encoding: Encoding, order: ColumnOrder) throws {
        let layer = Layer(rows: 12, columns: 64)
        let hessian = Hessian(layer.hessian, order: order)
        var method = GPTQ()
        (method.refits, method.descentPasses, method.batchSize) = (0, 0, 32)
        (method.blockPasses, method.restarts) = (0, 0)
        let result = try method.quantize(
            layer.weights, to: encoding, hessian: hessian, workers: oneWorker)

        let codec = try RowCodec(encoding, columns: 64)
        let grid = try #require(LevelGrid(encoding))
        let nearest = try RoundToNearest().quantize(
            layer.weights, to: encoding, importance: hessian.diagonal, workers: oneWorker)
        var keptRows = 0
        for row in 0..<12 {
            // The scales are not the definition's business; the file says which they were.
            var points: [[Float]] = []
            for block in 0..<2 {
                let start = row * codec.rowByteCount + block * grid.bytesPerBlock
                points.append(
                    grid.points(ofBlock: Array(result.bytes[start..<start + grid.bytesPerBlock])))
            }
            let expected = definition(
                Array(layer.weights.row(row)), hessian: hessian, order: hessian.order,
                points: points)
            if Array(result.decoded.row(row)) == expected { continue }
            // Where feedback ends up worse than plain rounding, plain rounding is kept, scales and
            // all.
            keptRows += 1
            #expect(Array(result.decoded.row(row)) == Array(nearest.decoded.row(row)))
        }
        #expect(keptRows <= 1)
    }

    private func definition(
        _ weights: [Float], hessian: Hessian, order: [Int], points: [[Float]]
    ) -> [Float] {
        let columns = weights.count
        var inverse = invert(
            order.map { row in order.map { Double(hessian.damped[row, $0]) } })
        var work = order.map { Double(weights[$0]) }
        var rounded = weights
        for place in 0..<columns {
            let level = points[order[place] / 32].min {
                abs(Double($0) - work[place]) < abs(Double($1) - work[place])
            }
            rounded[order[place]] = level ?? 0
            let error = work[place] - Double(level ?? 0)
            let pivot = inverse[place][place]
            for later in place + 1..<max(columns, place + 1) {
                work[later] -= error / pivot * inverse[place][later]
            }
            let pivotRow = inverse[place]
            for row in place + 1..<max(columns, place + 1) {
                let factor = inverse[row][place] / pivot
                for column in 0..<columns { inverse[row][column] -= factor * pivotRow[column] }
            }
        }
        return rounded
    }

    /// Gauss and Jordan's elimination; the matrix is positive definite and needs no pivoting.
    private func invert(_ matrix: [[Double]]) -> [[Double]] {
        var (a, inverse) = (matrix, matrix)
        for row in a.indices {
            for column in a.indices { inverse[row][column] = row == column ? 1 : 0 }
        }
        for pivot in a.indices {
            let scale = 1 / a[pivot][pivot]
            for column in a.indices {
                a[pivot][column] *= scale
                inverse[pivot][column] *= scale
            }
            for row in a.indices where row != pivot {
                let factor = a[row][pivot]
                for column in a.indices {
                    a[row][column] -= factor * a[pivot][column]
                    inverse[row][column] -= factor * inverse[pivot][column]
                }
            }
        }
        return inverse
    }
}

extension LevelGrid {
    /// Every weight that the block's scale and minimum allow.
    func points(ofBlock block: [UInt8]) -> [Float] {
        var ignored = [Int8](repeating: 0, count: weightsPerBlock)
        let (scale, minimum) = block.withUnsafeBytes { unpack($0, levels: &ignored) }
        switch levels {
        case .uniform(let range): return range.map { scale * Float($0) + minimum }
        case .codebook(let codebook): return codebook.map { scale * Float($0) + minimum }
        }
    }
}
