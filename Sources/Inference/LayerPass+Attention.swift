import Architectures
import Kernels
import TensorIR

extension LayerPass {
    func addAttention(of input: Matrix) throws {
        let projections = try matrices([.query, .key, .value], input: input)
        let (queries, keys) = (try scratch(.queries), try scratch(.keys))
        let values = try scratch(.values)
        let heads = [(queries, layer.queries), (keys, layer.keys), (values, layer.values)]
        try LinearMatrix.multiply(
            input.elements, by: zip(projections, heads).map { ($0, $1.0.elements) },
            workers: workers)
        for (target, preparation) in heads { preparation.apply(to: target, of: batch, workers) }
        attend(queries, keys, values)
        let output = try matrices([.attentionOutput], input: queries)[0]
        try add(output, times: queries, postNorm: .attentionPostNorm)
    }

    /// What the queries make of the values takes the queries' place.
    private func attend(_ queries: Matrix, _ keys: Matrix, _ values: Matrix) {
        cache?.store(keys: keys, values: values, of: batch, layer: index)
        cache?.decode(layer: index, count: batch.startPosition + batch.sequenceLength, workers)
        let headCount = description.headCount
        let (index, batch, cache, attention) = (index, batch, cache, layer.attention)
        workers.forEach(batch.sequenceCount * headCount) { item in
            let (sequence, head) = item.quotientAndRemainder(dividingBy: headCount)
            let row = sequence * batch.sequenceLength
            let past =
                cache?.past(ofSequence: sequence, layer: index)
                ?? Attention.Past(
                    keys: keys.pointer(toRow: row), values: values.pointer(toRow: row), count: 0)
            attention.attend(
                queries: queries.pointer(toRow: row), queryCount: batch.sequenceLength, head: head,
                past: past, into: queries.pointer(toRow: row))
        }
    }
}

extension Decoder {
    /// The attention that each token receives: the sum over queries of its probabilities, averaged over
    /// heads; 1 on average over a sequence.
    ///
    /// Where there are parts, a sequence is asked of one part of the heads, and the next sequence of the next
    /// part.
    ///
    /// - Parameters:
    ///   - index: the layer.
    ///   - input: what the query and key matrices multiply, (tokens, hiddenSize).
    ///   - batch: the sequences that the tokens belong to.
    ///   - partCount: parts that the heads are cut into; there are no more than heads.
    /// - Returns: one number for each token of the batch.
    /// - Throws: what reading the two matrices throws.
    package func attentionMass(
        layer index: Int, input: UnsafeMutableBufferPointer<Float>, batch: TokenBatch,
        partCount: Int
    ) throws -> [Float] {
        let layer = layers[index]
        guard let query = layer.matrices[TensorRole(.query, layer: index)],
            let key = layer.matrices[TensorRole(.key, layer: index)]
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
            let heads = heads(ofPart: sequence, of: partCount)
            let queries = Matrix(rows: length, columns: query.rows)
            let keys = Matrix(rows: length, columns: key.rows)
            try Activations.with(
                x, columns: query.columns, rounded: query.isRounding(tokens: length), alone
            ) { x in
                try query.multiply(x, rows: projected(heads, of: query), into: queries)
                try key.multiply(x, rows: projected(keyValueHeads(of: heads), of: key), into: keys)
            }
            layer.queries.apply(to: queries, of: batch, alone)
            layer.keys.apply(to: keys, of: batch, alone)
            let received = mass.row(sequence)
            for head in heads {
                layer.attention.addMass(
                    queries: queries.pointer(toRow: 0), queryCount: length, head: head,
                    past: Attention.Past(
                        keys: keys.pointer(toRow: 0), values: keys.pointer(toRow: 0), count: 0),
                    to: received)
            }
            for position in 0..<length { received[position] /= Float(heads.count) }
        }
        return Array(mass.elements)
    }

    /// Heads that follow each other; parts beyond the last are the first ones again.
    private func heads(ofPart part: Int, of partCount: Int) -> Range<Int> {
        let count = min(max(partCount, 1), description.headCount)
        let part = part % count
        return part * description.headCount / count..<(part + 1) * description.headCount / count
    }

    private func keyValueHeads(of heads: Range<Int>) -> Range<Int> {
        let perKey = description.headCount / description.keyValueHeadCount
        return heads.lowerBound / perKey..<(heads.upperBound - 1) / perKey + 1
    }

    /// The outputs of a matrix that some heads depend on: all where a norm spans them.
    private func projected(_ heads: Range<Int>, of matrix: LinearMatrix) -> Range<Int> {
        guard description.headNormScope != .projection else { return 0..<matrix.rows }
        let size = description.headSize
        return heads.lowerBound * size..<heads.upperBound * size
    }
}
