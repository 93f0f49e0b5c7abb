import Architectures
import Kernels
import TensorIR

/// Activations of one layer, allocated once and used for all of them.
final class LayerScratch {
    /// (tokens, hiddenSize): what the norm before each half gives.
    let normed: Matrix
    /// (tokens, headCount × headSize)
    let queries: Matrix
    /// (tokens, keyValueHeadCount × headSize)
    let keys: Matrix
    let values: Matrix
    /// (tokens, headCount × headSize)
    let attended: Matrix
    /// (tokens, feedForwardSize)
    let activated: Matrix

    init(tokenCount: Int, description: DecoderDescription) {
        let keyValueWidth = description.keyValueHeadCount * description.headSize
        let queryWidth = description.headCount * description.headSize
        normed = Matrix(rows: tokenCount, columns: description.hiddenSize)
        queries = Matrix(rows: tokenCount, columns: queryWidth)
        keys = Matrix(rows: tokenCount, columns: keyValueWidth)
        values = Matrix(rows: tokenCount, columns: keyValueWidth)
        attended = Matrix(rows: tokenCount, columns: queryWidth)
        activated = Matrix(rows: tokenCount, columns: description.feedForwardSize)
    }
}

extension Decoder {
    /// Adds one layer's attention and feed-forward to the residual stream.
    func run(
        layer index: Int, hidden: Matrix, batch: TokenBatch, scratch: LayerScratch,
        cache: KVCache?, observer: (any LinearInputObserver)?
    ) throws {
        let layer = layers[index]
        func matrices(
            _ modules: [TensorRole.Module], _ input: Matrix
        ) throws -> [LinearMatrix] {
            let roles = modules.map { TensorRole($0, layer: index) }
            let replacements =
                try observer?.replacements(
                    for: roles, input: input.elements, batch: batch, decoder: self) ?? [:]
            return try roles.map { role in
                guard let matrix = replacements[role] ?? layer.matrices[role.module] else {
                    throw ModelError("layer \(index) has no '\(role.module.rawValue)'")
                }
                return matrix
            }
        }

        // x + attention(norm(x))
        normalize(hidden, gain: layer.attentionNorm, into: scratch.normed)
        let projections = try matrices([.query, .key, .value], scratch.normed)
        for (matrix, target) in zip(
            projections, [scratch.queries, scratch.keys, scratch.values])
        {
            try matrix.multiply(scratch.normed.elements, into: target.elements, workers: workers)
        }
        rotate(scratch.queries, batch)
        rotate(scratch.keys, batch)
        attend(layer: index, batch: batch, scratch: scratch, cache: cache)
        let attentionOutput = try matrices([.attentionOutput], scratch.attended)[0]
        try attentionOutput.multiply(
            scratch.attended.elements, into: hidden.elements, adding: true, workers: workers)

        // x + down(silu(gate(norm(x))) · up(norm(x)))
        normalize(hidden, gain: layer.feedForwardNorm, into: scratch.normed)
        let gateAndUp = try matrices([.gate, .up], scratch.normed)
        try activate(
            scratch.normed, gate: gateAndUp[0], up: gateAndUp[1], into: scratch.activated)
        let down = try matrices([.down], scratch.activated)[0]
        try down.multiply(
            scratch.activated.elements, into: hidden.elements, adding: true, workers: workers)
    }

    private func normalize(_ x: Matrix, gain: [Float], into normed: Matrix) {
        workers.forEachRange(of: x.rows, length: 256) { range in
            for row in range {
                RowFunctions.rmsNorm(x.row(row), gain, description, into: normed.row(row))
            }
        }
    }

    /// Turns every token's heads by its position.
    func rotate(_ heads: Matrix, _ batch: TokenBatch) {
        precondition(batch.startPosition + batch.sequenceLength <= rotary.positionCount)
        workers.forEachRange(of: heads.rows, length: 256) { range in
            for row in range {
                rotary.rotate(
                    heads.row(row), headSize: description.headSize,
                    position: batch.startPosition + row % batch.sequenceLength)
            }
        }
    }

    private var attention: Attention {
        Attention(
            headSize: description.headSize, headCount: description.headCount,
            keyValueHeadCount: description.keyValueHeadCount)
    }

    private func attend(
        layer: Int, batch: TokenBatch, scratch: LayerScratch, cache: KVCache?
    ) {
        cache?.store(keys: scratch.keys, values: scratch.values, of: batch, layer: layer)
        cache?.decode(layer: layer, count: batch.startPosition + batch.sequenceLength, workers)
        let heads = description.headCount
        let (queries, keys, values) = (scratch.queries, scratch.keys, scratch.values)
        let attended = scratch.attended
        workers.forEach(batch.sequenceCount * heads) { item in
            let (sequence, head) = item.quotientAndRemainder(dividingBy: heads)
            let row = sequence * batch.sequenceLength
            let past =
                cache?.past(ofSequence: sequence, layer: layer)
                ?? Attention.Past(
                    keys: keys.pointer(toRow: row), values: values.pointer(toRow: row), count: 0)
            attention.attend(
                queries: queries.pointer(toRow: row), queryCount: batch.sequenceLength, head: head,
                past: past, into: attended.pointer(toRow: row))
        }
    }

    /// activated = silu(x · gateᵀ) · (x · upᵀ), a tile of both at a time, so that `up` is never held.
    private func activate(
        _ x: Matrix, gate: LinearMatrix, up: LinearMatrix, into activated: Matrix
    ) throws {
        try LinearMatrix.forEachTile(tokens: x.rows, rows: gate.rows, workers: workers) {
            tokens, tile in
            try withScratch(tile.count * gate.columns) { weights in
                try withScratch(tokens.count * tile.count * 2) { products in
                    guard let first = products.baseAddress else { return }
                    let second = first + tokens.count * tile.count
                    let input = x.pointer(toRow: tokens.lowerBound)
                    for (matrix, target) in [(gate, first), (up, second)] {
                        try matrix.decode(tile, into: weights)
                        matrix.product(
                            input, weights, into: target, stride: tile.count,
                            tokens: tokens.count, tile: tile)
                    }
                    RowFunctions.siluProduct(
                        UnsafeMutableBufferPointer(start: first, count: tokens.count * tile.count),
                        UnsafeBufferPointer(start: second, count: tokens.count * tile.count))
                    for (index, token) in tokens.enumerated() {
                        activated.pointer(toRow: token, column: tile.lowerBound).update(
                            from: first + index * tile.count, count: tile.count)
                    }
                }
            }
        }
    }

    /// The attention that each token receives: the sum over queries of its probabilities, averaged over
    /// heads; 1 on average over a sequence.
    ///
    /// - Parameters:
    ///   - index: the layer.
    ///   - input: what the query and key matrices multiply, (tokens, hiddenSize).
    ///   - batch: the sequences that the tokens belong to.
    /// - Returns: one number for each token of the batch.
    /// - Throws: what reading the two matrices throws.
    package func attentionMass(
        layer index: Int, input: UnsafeMutableBufferPointer<Float>, batch: TokenBatch
    ) throws -> [Float] {
        guard let query = layers[index].matrices[.query], let key = layers[index].matrices[.key]
        else { throw ModelError("layer \(index) has no attention") }
        let length = batch.sequenceLength
        let mass = Matrix(rows: batch.sequenceCount, columns: length)
        nonisolated(unsafe) let input = input
        try workers.forEach(batch.sequenceCount) { sequence in
            // A worker keeps to its own sequence: the products below run on one thread.
            let alone = Workers.current
            let rows = sequence * length..<(sequence + 1) * length
            let x = UnsafeMutableBufferPointer(
                rebasing: input[rows.lowerBound * query.columns..<rows.upperBound * query.columns])
            let queries = Matrix(rows: length, columns: query.rows)
            let keys = Matrix(rows: length, columns: key.rows)
            try query.multiply(x, into: queries.elements, workers: alone)
            try key.multiply(x, into: keys.elements, workers: alone)
            for (position, row) in (0..<length).enumerated() {
                for heads in [queries, keys] {
                    rotary.rotate(
                        heads.row(row), headSize: description.headSize,
                        position: batch.startPosition + position)
                }
            }
            let received = mass.row(sequence)
            for head in 0..<description.headCount {
                attention.addMass(
                    queries: queries.pointer(toRow: 0), queryCount: length, head: head,
                    past: Attention.Past(
                        keys: keys.pointer(toRow: 0), values: keys.pointer(toRow: 0), count: 0),
                    to: received)
            }
            for position in 0..<length { received[position] /= Float(description.headCount) }
        }
        return Array(mass.elements)
    }
}
