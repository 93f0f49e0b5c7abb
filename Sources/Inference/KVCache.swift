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

    /// - Parameters:
    ///   - decoder: the model whose keys and values are kept.
    ///   - capacity: positions that each sequence may grow to.
    ///   - sequenceCount: sequences that grow side by side.
    package init(for decoder: Decoder, capacity: Int, sequenceCount: Int = 1) {
        let width = decoder.description.keyValueHeadCount * decoder.description.headSize
        let make = { Matrix(rows: sequenceCount * capacity, columns: width) }
        keys = (0..<decoder.description.layerCount).map { _ in make() }
        values = (0..<decoder.description.layerCount).map { _ in make() }
        self.capacity = capacity
        self.sequenceCount = sequenceCount
    }
}
