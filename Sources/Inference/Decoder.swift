import Architectures
import Kernels

/// Runs a model: token ids in, logits out, in 32-bit floating point whatever the weights' encoding.
///
/// One decoder serves every family; what differs is in its description. Weights stay in their file and
/// are decoded a tile at a time. Results are the same to the bit for any number of threads.
package final class Decoder: Sendable {
    package let weights: DecoderWeights
    package let workers: Workers
    /// Where the activations of all tokens of a batch lie.
    package let memory: MatrixMemory
    let layers: [DecoderLayer]
    private let positionCount: Int
    private let embedding: Embedding
    private let head: OutputHead

    package var description: DecoderDescription { weights.description }

    /// - Parameters:
    ///   - weights: the weights, which stay where they are.
    ///   - positionCount: positions that any sequence may reach.
    ///   - workers: the threads to compute on; the results do not depend on them.
    ///   - memory: where the activations of all tokens of a batch lie.
    /// - Throws: `UnsupportedEncoding` for weights that no decoder exists for.
    package init(
        _ weights: DecoderWeights, positionCount: Int, workers: Workers,
        memory: MatrixMemory = .unlimited
    ) throws {
        self.weights = weights
        self.workers = workers
        self.memory = memory
        self.positionCount = positionCount
        // Layers with the same rotations share a table.
        var tables: [RotaryEmbedding: RotaryTable] = [:]
        let description = weights.description
        layers = try (0..<description.layerCount).map { layer in
            guard let rotary = description.rotary(ofLayer: layer) else {
                return try DecoderLayer(weights, layer: layer, rotary: nil)
            }
            let table = tables[rotary] ?? RotaryTable(rotary, positionCount: positionCount)
            tables[rotary] = table
            return try DecoderLayer(weights, layer: layer, rotary: table)
        }
        embedding = try Embedding(weights)
        head = try OutputHead(weights)
    }

    /// The same model on other threads.
    private init(_ decoder: Decoder, workers: Workers) {
        (weights, layers) = (decoder.weights, decoder.layers)
        (embedding, head) = (decoder.embedding, decoder.head)
        (positionCount, self.workers) = (decoder.positionCount, workers)
        memory = decoder.memory
    }

    package convenience init(
        _ model: LanguageModel, positionCount: Int, workers: Workers,
        memory: MatrixMemory = .unlimited, precision: Precision = .f32
    ) throws {
        try self.init(
            DecoderWeights(model, precision: precision), positionCount: positionCount,
            workers: workers, memory: memory)
    }

    /// The residual stream after the last layer, (tokens, hiddenSize), before the final norm.
    ///
    /// - Parameters:
    ///   - batch: the tokens.
    ///   - cache: keys and values of the positions before, which gets those of these.
    ///   - observer: sees, and may replace, what each linear layer multiplies.
    ///   - layerDone: called after each layer.
    /// - Returns: a row for each token.
    /// - Throws: `ModelError` for a token or a position that the model does not have.
    package func hiddenStates(
        of batch: TokenBatch, cache: KVCache? = nil, observer: (any LinearInputObserver)? = nil,
        layerDone: (Int) -> Void = { _ in }
    ) throws -> Matrix {
        let hidden = try embedded(batch)
        try advance(
            hidden, through: layers.indices, of: batch, cache: cache, observer: observer,
            layerDone: layerDone)
        cache?.position += batch.sequenceLength
        return hidden
    }

    /// Tokens that a thread takes through a layer by itself, at least one sequence.
    private static let tokensPerItem = 512

    /// The residual stream after the last layer, (tokens, hiddenSize), of sequences of one length.
    ///
    /// Of many sequences, each thread takes some through a layer: its products are as large as they can be, no
    /// thread waits for another between them, and a layer's weights are decoded once. Which sequences go together
    /// depends on their length alone.
    ///
    /// - Parameter sequences: at least one.
    /// - Returns: a row for each token, sequence after sequence.
    /// - Throws: `ModelError` for a token or a position that the model does not have.
    package func hiddenStates(ofSequences sequences: [[Int32]]) throws -> Matrix {
        let length = max(1, sequences.first?.count ?? 0)
        let sequencesPerItem = max(1, Decoder.tokensPerItem / length)
        guard sequences.count > sequencesPerItem else {
            return try hiddenStates(of: TokenBatch(sequences))
        }
        let hidden = try embedded(TokenBatch(sequences))
        let items = (0..<sequences.count).cut(by: sequencesPerItem).map { range in
            (
                batch: TokenBatch(Array(sequences[range])),
                hidden: hidden.view(ofRows: range.lowerBound * length..<range.upperBound * length)
            )
        }
        let alone = Decoder(self, workers: .current)
        let scratches = ScratchShelf(description)
        for (index, layer) in layers.enumerated() {
            try layer.withPrepared(workers) { layer in
                try workers.forEach(items.count) { item in
                    let (batch, hidden) = items[item]
                    try scratches.lend(tokenCount: batch.tokenCount) { scratch in
                        try LayerPass(
                            decoder: alone, layer: layer, index: index, batch: batch,
                            hidden: hidden, scratch: scratch, cache: nil, observer: nil
                        ).run()
                    }
                }
            }
        }
        return hidden
    }

    /// The residual stream before the first layer, (tokens, hiddenSize).
    package func embedded(_ batch: TokenBatch) throws -> Matrix {
        precondition(batch.startPosition + batch.sequenceLength <= positionCount)
        return try embedding.embed(batch, memory: memory, workers)
    }

    /// Sends the residual stream of a batch through some layers, in place; the other parameters are those
    /// of `hiddenStates`.
    package func advance(
        _ hidden: Matrix, through range: Range<Int>, of batch: TokenBatch, cache: KVCache? = nil,
        observer: (any LinearInputObserver)? = nil, layerDone: (Int) -> Void = { _ in }
    ) throws {
        let scratch = LayerScratch(
            tokenCount: batch.tokenCount, description: description, memory: memory)
        for layer in range {
            try LayerPass(
                decoder: self, layer: layers[layer], index: layer, batch: batch, hidden: hidden,
                scratch: scratch,
                cache: cache, observer: observer
            ).run()
            layerDone(layer)
        }
    }

    /// Logits of some rows of the residual stream, (rows, vocabularySize), into `logits`.
    package func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>
    ) throws {
        precondition(logits.count == rows.count * description.vocabularySize)
        try head.logits(of: hidden, rows: rows, into: logits, workers)
    }

    /// Shows an observer what the output matrix multiplies: the residual stream after the final norm.
    ///
    /// - Parameters:
    ///   - hidden: what `hiddenStates` returned for the batch.
    ///   - batch: the tokens.
    ///   - observer: asked about the role of the output; there is nothing left to replace.
    /// - Throws: what the observer throws, and what reading the weights throws.
    package func showOutputInput(
        of hidden: Matrix, batch: TokenBatch, to observer: any LinearInputObserver
    ) throws {
        let input = try outputInput(of: hidden)
        _ = try observer.replacements(
            for: [TensorRole(.output)],
            input: LinearInput(
                values: input.elements, columns: input.columns, stream: nil,
                tokens: Array(0..<batch.tokenCount), batch: batch),
            decoder: self)
    }

    /// What the output matrix multiplies for each row of the residual stream: (tokens, width).
    func outputInput(of hidden: Matrix) throws -> Matrix {
        try head.input(of: hidden, rows: Array(0..<hidden.rows), workers)
    }

    /// The batch in front of the first layer, to go through the layers half by half.
    ///
    /// - Parameters:
    ///   - batch: the tokens.
    ///   - scratch: of as many tokens; walks may take turns with it.
    /// - Returns: a walk that stands before the attention of layer 0.
    /// - Throws: `ModelError` for a token or a position that the model does not have.
    package func walk(of batch: TokenBatch, scratch: LayerScratch) throws -> DecoderWalk {
        DecoderWalk(
            decoder: self, batch: batch, hidden: try embedded(batch), scratch: scratch)
    }

    /// What a linear layer adds to its outputs; `role` names its weights.
    package func bias(of role: TensorRole) -> [Float]? {
        role.layer.flatMap { layers[$0].matrices[role]?.bias }
    }
}
