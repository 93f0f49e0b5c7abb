import Architectures
import Kernels
import TensorIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// From token ids to the residual stream.
struct Embedding: Sendable {
    private enum Positions: Sendable {
        case learned(LinearMatrix, offset: Int)
        case sinusoidal
    }

    /// (vocabularySize, embeddingSize)
    let tokens: LinearMatrix
    /// (hiddenSize, embeddingSize)
    private let projection: LinearMatrix?
    private let scale: Float
    private let positions: Positions?
    private let norm: Normalization?
    private let hiddenSize: Int

    init(_ model: DecoderWeights) throws {
        let description = model.description
        tokens = try model.requiredMatrix(TensorRole(.tokenEmbedding))
        projection = try model.matrix(TensorRole(.embeddingProjection))
        scale = description.embeddingScale
        positions =
            switch description.absolutePositions {
            case .learned(let offset):
                .learned(
                    try model.requiredMatrix(TensorRole(.positionEmbedding)), offset: offset)
            case .sinusoidal: .sinusoidal
            case nil: nil
            }
        norm = try Normalization(
            TensorRole(.embeddingNorm), of: model, width: description.hiddenSize)
        hiddenSize = description.hiddenSize
    }

    /// - Returns: (tokens, hiddenSize).
    /// - Throws: `ModelError` for a token or a position that the model does not have.
    func embed(_ batch: TokenBatch, memory: MatrixMemory, _ workers: Workers) throws -> Matrix {
        if let id = batch.ids.first(where: { !(0..<tokens.rows).contains(Int($0)) }) {
            throw ModelError("token \(id) is outside of the model's vocabulary of \(tokens.rows)")
        }
        let embedded = try memory.matrix(rows: batch.tokenCount, columns: tokens.columns)
        try workers.forEachRange(of: batch.tokenCount, length: 64) { rows in
            for row in rows {
                let id = Int(batch.ids[row])
                try tokens.decode(id..<id + 1, into: embedded.row(row))
            }
        }
        let hidden: Matrix
        if let projection {
            hidden = try memory.matrix(rows: batch.tokenCount, columns: hiddenSize)
            try projection.multiply(embedded.elements, into: hidden.elements, workers: workers)
        } else {
            hidden = embedded
        }
        if scale != 1 {
            for index in hidden.elements.indices { hidden.elements[index] *= scale }
        }
        try addPositions(to: hidden, of: batch)
        norm?.apply(to: hidden, into: hidden, workers)
        return hidden
    }

    private func addPositions(to hidden: Matrix, of batch: TokenBatch) throws {
        guard let positions else { return }
        let vectors = Matrix(rows: batch.sequenceLength, columns: hiddenSize)
        for index in 0..<batch.sequenceLength {
            let position = batch.startPosition + index
            switch positions {
            case .learned(let matrix, let offset):
                guard position + offset < matrix.rows else {
                    throw ModelError(
                        "position \(position) is beyond the \(matrix.rows - offset) that the model "
                            + "has learned")
                }
                let row = position + offset
                try matrix.decode(row..<row + 1, into: vectors.row(index))
            case .sinusoidal:
                Embedding.fillSinusoids(of: position, into: vectors.row(index))
            }
        }
        for row in 0..<hidden.rows {
            let (x, added) = (hidden.row(row), vectors.row(row % batch.sequenceLength))
            for index in x.indices { x[index] += added[index] }
        }
    }

    /// Sines, then cosines, of angles whose wavelengths grow from 2π to 2π·10000.
    private static func fillSinusoids(
        of position: Int, into vector: UnsafeMutableBufferPointer<Float>
    ) {
        let half = vector.count / 2
        for pair in 0..<half {
            let frequency = pow(10000, -Double(pair) / Double(max(1, half - 1)))
            vector[pair] = Float(sin(Double(position) * frequency))
            vector[half + pair] = Float(cos(Double(position) * frequency))
        }
    }
}
