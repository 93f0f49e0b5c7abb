import Architectures
import Inference
import Kernels
import TensorIR

/// Finds likely texts by following several at once.
///
/// Each step extends every beam by every token and keeps the most likely `beamCount` that do not end.
/// A text that ends competes by its mean log-probability for each token, its end included, with
/// the best `beamCount` that ended before. The search is over when no beam, were it to end now, would
/// be among those. What it finds is the text that ended with the best mean; or the best beam where the
/// tokens run out first and none is worse. (As transformers, with its default length penalty of 1.)
///
/// Equally likely texts are ordered by beam, then by token, so that the result is always the same.
public struct BeamSearch: Sendable {
    public let model: LanguageModel
    /// Sampling does not matter here.
    public let options: GenerationOptions
    public let beamCount: Int

    /// Beams at most: each has its own keys and values.
    public static let maximumBeamCount = 64

    /// - Precondition: `beamCount` is from 1 to `maximumBeamCount`.
    public init(
        _ model: LanguageModel, beamCount: Int,
        _ options: GenerationOptions = GenerationOptions()
    ) {
        precondition((1...BeamSearch.maximumBeamCount).contains(beamCount))
        (self.model, self.beamCount, self.options) = (model, beamCount, options)
    }

    /// The best text that was found.
    public struct Result: Sendable {
        /// Without the token that ended it.
        public let ids: [Int32]
        /// Sum over its tokens, the end included.
        public let logProbability: Double
        public let summary: GenerationSummary
    }

    /// Searches for the best text.
    ///
    /// - Parameters:
    ///   - prompt: what the model reads first; at least one token.
    ///   - promptDone: called when the prompt was read.
    ///   - stepDone: called with the most likely beam after each step.
    /// - Returns: the best text.
    /// - Throws: as `Generator.generate`.
    public func search(
        after prompt: [Int32], promptDone: (GenerationSummary) -> Void = { _ in },
        stepDone: ([Int32]) throws -> Void = { _ in }
    ) throws -> Result {
        let capacity = try GenerationLimits.capacity(model, prompt, options)
        let workers = Workers(threadCount: options.threadCount)
        let session = try ModelSession(
            model, capacity: capacity, sequenceCount: beamCount, encoding: options.cacheEncoding,
            workers: workers)
        let clock = ContinuousClock()
        var start = clock.now
        var summary = GenerationSummary()
        var logits = try session.read(prompt)
        summary.promptTokenCount = prompt.count
        summary.promptDuration = clock.now - start
        start = clock.now
        promptDone(summary)

        var beams = Beams(count: beamCount, stopTokens: options.stopTokens)
        while true {
            let sources = try beams.extend(logits)
            try stepDone(beams.running.first?.ids ?? [])
            let length = beams.length
            if beams.isOver || prompt.count + length >= capacity { break }
            session.cache.reorder(sources, workers)
            logits = try session.step(beams.running.compactMap(\.ids.last))
            summary.stepCount += 1
        }
        let best = beams.best
        summary.tokenCount = best.ids.count
        summary.duration = clock.now - start
        summary.stopReason =
            best.stopToken.map { .stopToken($0) }
            ?? (best.ids.count >= options.maximumTokenCount ? .tokenLimit : .contextFull)
        return Result(ids: best.ids, logProbability: best.logProbability, summary: summary)
    }
}
