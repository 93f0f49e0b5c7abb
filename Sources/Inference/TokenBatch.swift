/// Sequences of equal length that go through the decoder together.
package struct TokenBatch: Sendable {
    /// Token ids, sequence after sequence.
    package let ids: [Int32]
    /// Tokens in each sequence.
    package let sequenceLength: Int
    /// The position of each sequence's first token.
    package let startPosition: Int

    package var tokenCount: Int { ids.count }
    package var sequenceCount: Int { sequenceLength == 0 ? 0 : ids.count / sequenceLength }

    /// - Precondition: all sequences have one length, and at least one token.
    package init(_ sequences: [[Int32]], startPosition: Int = 0) {
        let length = sequences.first?.count ?? 0
        precondition(length > 0 && sequences.allSatisfy { $0.count == length })
        ids = sequences.flatMap { $0 }
        sequenceLength = length
        self.startPosition = startPosition
    }
}

import Kernels

/// The keys and values of all positions so far, for decoding one token after another.
///
/// keys and values: (layer, sequence × capacity, keyValueHeadCount × headSize), in 32-bit floats.
package final class KVCache {
    package let capacity: Int
    /// Positions already held; the next token stands here.
    package internal(set) var position = 0
    let keys: [Matrix]
    let values: [Matrix]
    let sequenceCount: Int

    /// - Parameter capacity: positions that each sequence may grow to.
    package init(for decoder: Decoder, capacity: Int, sequenceCount: Int = 1) {
        let width = decoder.description.keyValueHeadCount * decoder.description.headSize
        let make = { Matrix(rows: sequenceCount * capacity, columns: width) }
        keys = (0..<decoder.description.layerCount).map { _ in make() }
        values = (0..<decoder.description.layerCount).map { _ in make() }
        self.capacity = capacity
        self.sequenceCount = sequenceCount
    }
}
