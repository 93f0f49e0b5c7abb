import BlockFormats
import Kernels
import TensorIR

/// How a cache holds keys and values.
public enum CacheEncoding: String, Sendable, Hashable, CaseIterable {
    case f32, f16, q8_0

    var encoding: Encoding {
        switch self {
        case .f32: .scalar(.f32)
        case .f16: .scalar(.f16)
        case .q8_0: .block(.q8_0)
        }
    }
}

/// The keys and values of all positions so far, for decoding one token after another.
///
/// In every layer, sequence after sequence, a row for each position: (keyValueHeadCount × headSize).
/// Attention reads floats. Where rows are held in another encoding, those of one layer at a time are
/// decoded for it, so that memory is that of the encoding and one layer more.
package final class KVCache: @unchecked Sendable {
    package let encoding: CacheEncoding
    package let capacity: Int
    /// Sequences that grow side by side.
    package let sequenceCount: Int
    /// Positions already held; the next token stands here.
    package internal(set) var position = 0
    private let keys: [CacheRows]
    private let values: [CacheRows]
    /// Where each sequence's rows are, in units of `capacity` rows.
    private var places: [Int]
    /// One layer as floats; empty where the rows are floats themselves.
    private let decodedKeys: Matrix
    private let decodedValues: Matrix

    /// - Parameters:
    ///   - decoder: the model whose keys and values are kept.
    ///   - capacity: positions that each sequence may grow to.
    ///   - sequenceCount: sequences that may grow side by side.
    ///   - encoding: how keys and values are held.
    /// - Throws: `UnsupportedEncoding` where the encoding's blocks do not divide the model's rows.
    package init(
        for decoder: Decoder, capacity: Int, sequenceCount: Int = 1, encoding: CacheEncoding = .f32
    ) throws(UnsupportedEncoding) {
        let width = decoder.description.keyValueHeadCount * decoder.description.headSize
        let codec = try RowCodec(encoding.encoding, columns: width)
        let rows = sequenceCount * capacity
        let layers = 0..<decoder.description.layerCount
        keys = layers.map { _ in CacheRows(codec, count: rows) }
        values = layers.map { _ in CacheRows(codec, count: rows) }
        let decodedRows = encoding == .f32 ? 0 : rows
        decodedKeys = Matrix(rows: decodedRows, columns: width)
        decodedValues = Matrix(rows: decodedRows, columns: width)
        places = Array(0..<sequenceCount)
        self.encoding = encoding
        self.capacity = capacity
        self.sequenceCount = sequenceCount
    }

    /// Bytes that the rows of all positions take.
    package var byteCount: Int { 2 * keys.reduce(0) { $0 + $1.byteCount } }

    /// Forgets all positions from this one on.
    /// - Precondition: the cache holds that many.
    package func truncate(to position: Int) {
        precondition((0...self.position).contains(position))
        self.position = position
    }

    /// Lets sequence number i go on from where sequence `sources[i]` stands.
    ///
    /// A sequence that goes on at all keeps its rows for one of its successors; only further ones are
    /// copied, over the rows of sequences that do not go on.
    package func reorder(_ sources: [Int], _ workers: Workers) {
        precondition(sources.count <= sequenceCount)
        precondition(sources.allSatisfy { (0..<sequenceCount).contains($0) })
        var free = Set(places)
        var next: [Int?] = sources.map { source in free.remove(places[source]) }
        var rest = free.sorted()
        var copies: [(source: Int, target: Int)] = []
        for index in next.indices where next[index] == nil {
            let target = rest.removeFirst()
            copies.append((places[sources[index]], target))
            next[index] = target
        }
        places = next.compactMap { $0 } + rest
        let (position, capacity, final) = (position, capacity, copies)
        workers.forEach(keys.count) { layer in
            for rows in [keys[layer], values[layer]] {
                for (source, target) in final {
                    rows.copy(source * capacity, to: target * capacity, count: position)
                }
            }
        }
    }

    /// Stores a batch's rows of one layer, (sequence, position), where its positions belong.
    func store(keys newKeys: Matrix, values newValues: Matrix, of batch: TokenBatch, layer: Int) {
        precondition(batch.sequenceCount <= sequenceCount)
        precondition(batch.startPosition == position)
        precondition(position + batch.sequenceLength <= capacity)
        for sequence in 0..<batch.sequenceCount {
            let rows = sequence * batch.sequenceLength..<(sequence + 1) * batch.sequenceLength
            let place = places[sequence] * capacity + position
            keys[layer].store(newKeys.rows(rows), at: place)
            values[layer].store(newValues.rows(rows), at: place)
        }
    }

    /// Makes a layer's first `count` positions of every sequence ready for `past`.
    func decode(layer: Int, count: Int, _ workers: Workers) {
        guard encoding != .f32 else { return }
        workers.forEachRange(of: sequenceCount * count, length: 64) { range in
            for item in range {
                let (sequence, position) = item.quotientAndRemainder(dividingBy: count)
                let row = sequence * capacity + position
                keys[layer].decode(row, into: decodedKeys.row(row))
                values[layer].decode(row, into: decodedValues.row(row))
            }
        }
    }

    /// What a sequence's next tokens attend to in one layer.
    func past(ofSequence sequence: Int, layer: Int) -> Attention.Past {
        let row = places[sequence] * capacity
        return Attention.Past(
            keys: keys[layer].floats(row) ?? UnsafePointer(decodedKeys.pointer(toRow: row)),
            values: values[layer].floats(row) ?? UnsafePointer(decodedValues.pointer(toRow: row)),
            count: position)
    }
}
