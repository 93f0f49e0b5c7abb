import ByteIO
import TensorIR
import Testing

@testable import Quantization

@Suite struct ImportanceMatrixTests {
    private let matrix = ImportanceMatrix(
        entries: [
            "blk.0.attn_q.weight": .init(sumsOfSquares: [2, 4, 8], counts: [2]),
            "blk.0.ffn_down_exps.weight": .init(sumsOfSquares: [6, 9, 0, 0], counts: [3, 0]),
        ], datasets: ["wiki-b.txt"], windowCount: 100, windowSize: 512)

    @Test func readsWhatItWrites() throws {
        let read = try ImportanceMatrix(matrix.checkpoint())
        #expect(read == matrix)
    }

    @Test func hasTheShapesOfLlamaCppsFiles() throws {
        let tensors = matrix.checkpoint().tensors.map(\.descriptor)
        #expect(
            tensors.map(\.name) == [
                "blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts",
                "blk.0.ffn_down_exps.weight.in_sum2", "blk.0.ffn_down_exps.weight.counts",
            ])
        #expect(tensors.map(\.shape) == [[1, 3], [1, 1], [2, 2], [2, 1]])
        #expect(tensors.allSatisfy { $0.encoding == .scalar(.f32) })
    }

    @Test func weightsAreMeans() throws {
        let weights = try matrix.weights(ofTensor: "blk.0.attn_q.weight", columns: 3)
        #expect(weights == [1, 2, 4])
        #expect(try matrix.weights(ofTensor: "output.weight", columns: 3) == nil)
        #expect(matrix.entries["blk.0.ffn_down_exps.weight"]?.means(ofMatrix: 0) == [2, 3])
        #expect(matrix.entries["blk.0.ffn_down_exps.weight"]?.means(ofMatrix: 1) == [1, 1])
        #expect(throws: QuantizationError.widthMismatch(columns: 4, statistics: 3)) {
            try matrix.weights(ofTensor: "blk.0.attn_q.weight", columns: 4)
        }
    }

    @Test(arguments: [
        "no type", "another type", "no counts", "other counts", "half precision", "negative",
        "undefined",
    ])
    func refuses(fault: String) throws {
        var checkpoint = matrix.checkpoint(path: "broken.gguf")
        let sums = checkpoint.tensors[0].descriptor
        func replacement(_ values: [Float]) throws -> BufferedTensor {
            let bytes = values.flatMap { value in
                withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
            }
            return BufferedTensor(sums, bytes: bytes)
        }
        switch fault {
        case "no type": checkpoint.metadata["general.type"] = nil
        case "another type": checkpoint.metadata["general.type"] = .string("model")
        case "no counts": checkpoint.tensors.remove(at: 1)
        case "other counts":
            let counts = checkpoint.tensors.remove(at: 3)
            checkpoint.tensors[1] = RenamedTensor(counts, name: "blk.0.attn_q.weight.counts")
        case "half precision":
            let half = try #require(
                TensorDescriptor(name: sums.name, shape: [1, 3], encoding: .scalar(.f16)))
            checkpoint.tensors[0] = BufferedTensor(half, bytes: [UInt8](repeating: 0, count: 6))
        case "negative": checkpoint.tensors[0] = try replacement([1, -1, 1])
        default: checkpoint.tensors[0] = try replacement([1, .nan, 1])
        }
        #expect(throws: FormatError.self) { try ImportanceMatrix(checkpoint) }
    }
}
