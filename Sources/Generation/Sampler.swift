import Kernels
import TensorIR

/// Turns a model's logits into the distribution that the next token is drawn from.
struct Sampler: Sendable {
    let options: SamplingOptions

    init(_ options: SamplingOptions) { self.options = options }

    /// - Parameters:
    ///   - logits: one for each token of the vocabulary.
    ///   - history: the tokens so far, for the repetition penalty.
    /// - Returns: tokens that may come next.
    /// - Throws: `ModelError` where the logits are no numbers.
    func distribution(
        of logits: UnsafeBufferPointer<Float>, history: some Collection<Int32>
    ) throws(ModelError) -> TokenDistribution {
        let penalty = RepetitionPenalty(
            penalty: options.repetitionPenalty, window: options.repetitionWindow)
        if options.temperature == 0, penalty.penalty == 1 {
            try Sampler.checkMaximum(logits)
            return TokenDistribution(certain: Int32(RowFunctions.indexOfMaximum(logits)))
        }
        var candidates = Candidates(logits)
        penalty.apply(to: &candidates, history: history)
        let best = try candidates.logits.withUnsafeBufferPointer { row throws(ModelError) in
            try Sampler.checkMaximum(row)
            return RowFunctions.indexOfMaximum(row)
        }
        let maximum = candidates.logits[best]
        guard options.temperature > 0 else { return TokenDistribution(certain: Int32(best)) }
        // Less the maximum, so that no temperature is too low to divide by.
        candidates.replaceLogits { logits in
            for place in logits.indices {
                logits[place] = (logits[place] - maximum) / options.temperature
            }
        }
        if let topK = options.topK { TopK(count: topK).apply(to: &candidates) }
        TopP(sum: options.topP).apply(to: &candidates)
        MinP(share: options.minP).apply(to: &candidates)
        return TokenDistribution(ids: candidates.ids, probabilities: candidates.probabilities)
    }

    /// A single NaN is the maximum of its row, and minus infinity that of nothing else.
    static func checkMaximum(_ logits: UnsafeBufferPointer<Float>) throws(ModelError) {
        let maximum = RowFunctions.maximum(logits)
        guard maximum.isFinite else {
            throw ModelError("the model's largest logit is \(maximum): its weights are broken")
        }
    }
}
