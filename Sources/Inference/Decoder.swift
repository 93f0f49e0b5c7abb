import Architectures
import BlockFormats
import Kernels
import TensorIR

/// Runs a model: token ids in, logits out, in 32-bit floating point whatever the weights' encoding.
///
/// One decoder serves every family; what differs is in its description. Weights stay in their file and
/// are decoded a tile at a time. Results are the same to the bit for any number of threads.
package final class Decoder: Sendable {
    package let model: LanguageModel
    package let workers: Workers
    let layers: [DecoderLayer]
    let rotary: RotaryTable
    private let embedding: LinearMatrix
    private let outputNorm: [Float]
    private let output: LinearMatrix

    package var description: DecoderDescription { model.description }

    /// - Parameters:
    ///   - model: the weights, which stay where they are.
    ///   - positionCount: positions that any sequence may reach.
    ///   - workers: the threads to compute on; the results do not depend on them.
    /// - Throws: `UnsupportedEncoding` for weights that no decoder exists for.
    package init(_ model: LanguageModel, positionCount: Int, workers: Workers) throws {
        self.model = model
        self.workers = workers
        layers = try (0..<model.description.layerCount).map { try DecoderLayer(model, layer: $0) }
        guard let rotary = model.description.rotary else {
            throw ModelError("models without rotary positions cannot be run")
        }
        self.rotary = RotaryTable(rotary, positionCount: positionCount)
        guard let embeddingSource = model.tensors[TensorRole(.tokenEmbedding)] else {
            throw ModelError("the token embedding is missing")
        }
        embedding = try LinearMatrix(embeddingSource)
        outputNorm = try model.requiredVector(TensorRole(.outputNorm))
        output = try model.tensors[TensorRole(.output)].map { try LinearMatrix($0) } ?? embedding
    }

    /// The residual stream after the last layer, (tokens, hiddenSize), before the final norm.
    ///
    /// - Throws: `ModelError` for a token that the vocabulary does not have.
    package func hiddenStates(
        of batch: TokenBatch, cache: KVCache? = nil, observer: (any LinearInputObserver)? = nil,
        layerDone: (Int) -> Void = { _ in }
    ) throws -> Matrix {
        let hidden = try embed(batch)
        let scratch = LayerScratch(tokenCount: batch.tokenCount, description: description)
        for layer in layers.indices {
            try run(
                layer: layer, hidden: hidden, batch: batch, scratch: scratch, cache: cache,
                observer: observer)
            layerDone(layer)
        }
        cache?.position += batch.sequenceLength
        return hidden
    }

    /// Logits of some rows of the residual stream, (rows, vocabularySize), into `logits`.
    package func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>
    ) throws {
        precondition(logits.count == rows.count * description.vocabularySize)
        let normed = Matrix(rows: rows.count, columns: description.hiddenSize)
        for (index, row) in rows.enumerated() {
            RowFunctions.rmsNorm(hidden.row(row), outputNorm, description, into: normed.row(index))
        }
        try output.multiply(normed.elements, into: logits, workers: workers)
    }

    private func embed(_ batch: TokenBatch) throws -> Matrix {
        let hidden = Matrix(rows: batch.tokenCount, columns: description.hiddenSize)
        for (row, id) in batch.ids.enumerated() {
            guard (0..<embedding.rows).contains(Int(id)) else {
                throw ModelError(
                    "token \(id) is outside of the model's vocabulary of \(embedding.rows)")
            }
            try embedding.decode(Int(id)..<Int(id) + 1, into: hidden.row(row))
        }
        return hidden
    }
}

extension RowFunctions {
    static func rmsNorm(
        _ x: UnsafeMutableBufferPointer<Float>, _ gain: [Float],
        _ description: DecoderDescription, into out: UnsafeMutableBufferPointer<Float>
    ) {
        gain.withUnsafeBufferPointer {
            rmsNorm(UnsafeBufferPointer(x), gain: $0, epsilon: description.norm.epsilon, into: out)
        }
    }
}

extension Decoder {
    /// What a linear layer adds to its outputs.
    package func bias(of role: TensorRole) -> [Float]? {
        role.layer.flatMap { layers[$0].matrices[role.module]?.bias }
    }
}
