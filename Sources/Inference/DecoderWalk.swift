import Kernels

/// Some sequences on their way through a decoder, half a layer at a time, for those who follow them step by
/// step. `Decoder.hiddenStates` goes all the way at once.
package final class DecoderWalk {
    /// Attention comes first, then the feed-forward. Where both read the same stream, all is in the first.
    package enum Half: Int, Sendable {
        case attention, feedForward
    }

    package let batch: TokenBatch
    /// The residual stream, (tokens, hiddenSize).
    package let hidden: Matrix
    private let decoder: Decoder
    private let scratch: LayerScratch
    private var halvesDone = 0

    init(decoder: Decoder, batch: TokenBatch, hidden: Matrix, scratch: LayerScratch) {
        (self.decoder, self.batch, self.hidden) = (decoder, batch, hidden)
        self.scratch = scratch
    }

    /// Goes on until the residual stream holds what comes after a half of a layer; not at all where it has
    /// been there.
    ///
    /// - Parameters:
    ///   - half: the last to be passed.
    ///   - layer: whose half it is.
    ///   - observer: sees what each linear layer on the way multiplies.
    /// - Throws: what the observer throws, and what reading the weights throws.
    package func advance(
        through half: Half, ofLayer layer: Int, observer: (any LinearInputObserver)?
    ) throws {
        while halvesDone <= 2 * layer + half.rawValue {
            let pass = LayerPass(
                decoder: decoder, layer: decoder.layers[halvesDone / 2], index: halvesDone / 2,
                batch: batch, hidden: hidden,
                scratch: scratch, cache: nil, observer: observer)
            if halvesDone.isMultiple(of: 2) {
                try pass.runAttention()
            } else {
                try pass.runFeedForward()
            }
            halvesDone += 1
        }
    }

    /// What the output matrix multiplies, (tokens, width), once all layers are passed.
    ///
    /// - Throws: what reading the weights throws.
    package func outputInput() throws -> Matrix {
        try decoder.outputInput(of: hidden)
    }
}
