import BlockFormats
import Kernels
import TensorIR
import TestSupport

@testable import Quantization

/// A small linear layer: weights, and the Hessian of correlated inputs of unequal size.
struct Layer {
    let weights: Matrix
    let hessian: Matrix

    init(rows: Int = 24, columns: Int = 96, tokens: Int = 400, seed: UInt64 = 1) {
        var generator = SeededGenerator(seed: seed)
        weights = Matrix(rows: rows, columns: columns, generator.normals(rows * columns))
        let sources = max(1, columns / 4)
        let mixing = generator.normals(sources * columns)
        let sizes = (0..<columns).map { _ in Float.random(in: 0.2...3, using: &generator) }
        var inputs = [Float]()
        for _ in 0..<tokens {
            let drivers = generator.normals(sources)
            for column in 0..<columns {
                var sum = generator.normal()
                for source in 0..<sources {
                    sum += drivers[source] * mixing[source * columns + column] * 0.4
                }
                inputs.append(sum * sizes[column] / Float(tokens).squareRoot())
            }
        }
        hessian = Matrix(rows: columns, columns: columns)
        inputs.withUnsafeBufferPointer {
            accumulateGram(
                of: $0, factors: [Float](repeating: 1, count: tokens), into: hessian,
                panels: GramPanels(columns: columns), workers: oneWorker)
        }
        mirrorGram(hessian, workers: .current)
    }

    var diagonal: [Float] { (0..<hessian.rows).map { hessian[$0, $0] } }

    /// e·H·eᵀ of each row, in double precision, with `damping` on the diagonal of H.
    func errors(of decoded: Matrix, damping: Float = 0) -> [Double] {
        (0..<weights.rows).map { row in
            let error = zip(weights.row(row), decoded.row(row)).map { Double($0) - Double($1) }
            var sum = 0.0
            for i in error.indices {
                sum += error[i] * error[i] * Double(damping)
                for j in error.indices { sum += error[i] * Double(hessian[i, j]) * error[j] }
            }
            return sum
        }
    }
}

let oneWorker = Workers(threadCount: 1)

/// An encoding of each kind that passes round to.
let encodings: [Encoding] =
    [
        .block(.q4_0), .block(.q5_0), .block(.q8_0), .block(.iq4_nl), .block(.q4_1),
        .block(.q5_1), .block(.mxfp4),
    ] + grouped

let grouped: [Encoding] = [
    .grouped(GroupedAffine(bits: 4, groupSize: 32, offset: .symmetric)),
    .grouped(GroupedAffine(bits: 2, groupSize: 16, offset: .symmetric, scaleType: .bf16)),
    .grouped(GroupedAffine(bits: 4, groupSize: 40, offset: .zeroPoint)),
    .grouped(GroupedAffine(bits: 3, groupSize: 64, offset: .bias, scaleType: .f32)),
    .grouped(GroupedAffine(bits: 8, groupSize: 128, offset: .zeroPoint, scaleType: .f32)),
]

extension Matrix {
    var values: [Float] { Array(elements) }

    /// What the reference encoder of the format makes of the matrix, decoded.
    func reencoded(as encoding: Encoding) throws -> Matrix {
        let codec = try RowCodec(encoding, columns: columns)
        var bytes = [UInt8](repeating: 0, count: rows * codec.rowByteCount)
        bytes.withUnsafeMutableBytes { codec.encode(UnsafeBufferPointer(elements), into: $0) }
        let decoded = Matrix(rows: rows, columns: columns)
        bytes.withUnsafeBytes { codec.decode($0, into: decoded.elements) }
        return decoded
    }
}
