import Architectures
import Inference
import Kernels
import TensorIR

/// Generates what a model would, with fewer steps of it: a smaller model drafts, the model checks all of
/// the draft in one step (speculative decoding; Leviathan et al. 2023, algorithm 1).
///
/// At temperature 0 the tokens are those of `Generator`, without exception: a few tokens that the model
/// reads together have the logits that they have one by one. At other temperatures the tokens differ, for
/// they are drawn differently, but come with the same probabilities.
///
/// Both models must have the same vocabulary.
public struct SpeculativeGenerator: Sendable {
    public let model: LanguageModel
    public let draft: LanguageModel
    public let options: GenerationOptions
    /// Tokens that are drafted for one step of the model.
    public let draftTokenCount: Int

    /// More would be read with other kernels than single tokens are, and seldom be accepted.
    public static let maximumDraftTokenCount = fewRows - 1

    /// - Precondition: `draftTokenCount` is from 1 to `maximumDraftTokenCount`.
    public init(
        _ model: LanguageModel, draft: LanguageModel, draftTokenCount: Int = 5,
        _ options: GenerationOptions = GenerationOptions()
    ) {
        precondition((1...SpeculativeGenerator.maximumDraftTokenCount).contains(draftTokenCount))
        (self.model, self.draft, self.options) = (model, draft, options)
        self.draftTokenCount = draftTokenCount
    }

    /// Generates tokens until something ends the text; parameters, result and errors are those of
    /// `Generator.generate`.
    public func generate(
        after prompt: [Int32], promptDone: (GenerationSummary) -> Void = { _ in },
        receiver: (Int32) throws -> Bool
    ) throws -> GenerationSummary {
        let capacity = try GenerationLimits.capacity(model, prompt, options)
        let workers = Workers(threadCount: options.threadCount)
        let session = try ModelSession(
            model, capacity: capacity, encoding: options.cacheEncoding, workers: workers)
        let sampler = Sampler(options.sampling)
        let drafter = try Drafter(
            draft, vocabularySize: model.description.vocabularySize,
            capacity: min(capacity, draft.description.contextLength), sampler: sampler,
            encoding: options.cacheEncoding, workers: workers)
        var random = SplitMix64(seed: options.sampling.seed)
        var output = GeneratedTokens(prompt, capacity: capacity, options)

        let logits = try session.read(prompt)
        try drafter.prepare(prompt)
        output.endPrompt()
        promptDone(output.summary)
        let first = try sampler.distribution(
            of: UnsafeBufferPointer(logits.row(0)), history: output.history)
        guard try output.append(first.draw(&random), receiver) else { return output.finished() }

        while true {
            // The model itself adds a token to those that it accepts.
            let wanted = min(draftTokenCount, output.remainingCount - 1)
            let drafts = try drafter.draft(wanted, after: output.history, &random)
            let chosen = try check(drafts, session, sampler, output.history, &random)
            output.countStep(drafted: drafts.count, accepted: chosen.count - 1)
            for id in chosen {
                guard try output.append(id, receiver) else { return output.finished() }
            }
            // What was read of rejected drafts is forgotten; the last token has not been read yet.
            session.cache.truncate(to: output.history.count - 1)
            drafter.forget(from: output.history.count - 1)
        }
    }

    /// One step of the model: the drafts that it accepts, and the token that it adds.
    private func check(
        _ drafts: [Drafter.Draft], _ session: ModelSession, _ sampler: Sampler,
        _ history: [Int32], _ random: inout SplitMix64
    ) throws -> [Int32] {
        let logits = try session.read(
            history.suffix(1) + drafts.map(\.id), logitsOfLast: drafts.count + 1)
        var chosen: [Int32] = []
        for (row, draft) in drafts.enumerated() {
            let wanted = try sampler.distribution(
                of: UnsafeBufferPointer(logits.row(row)), history: history + chosen)
            switch Acceptance.decide(draft.id, draft.distribution, wanted, &random) {
            case .accepted: chosen.append(draft.id)
            case .replaced(let id): return chosen + [id]
            }
        }
        let added = try sampler.distribution(
            of: UnsafeBufferPointer(logits.row(drafts.count)), history: history + chosen)
        return chosen + [added.draw(&random)]
    }
}

/// What becomes of a drafted token.
enum Acceptance: Hashable {
    case accepted
    case replaced(Int32)

    /// Accepts a token drawn from `drafted` with probability min(1, wanted / drafted), or else draws from
    /// what the draft has too little of. Either way the token comes with the probabilities of `wanted`
    /// (Leviathan et al. 2023, appendix A.1).
    static func decide(
        _ id: Int32, _ drafted: TokenDistribution, _ wanted: TokenDistribution,
        _ random: inout SplitMix64
    ) -> Acceptance {
        let (p, q) = (Double(wanted[id]), Double(drafted[id]))
        if p >= q || random.uniform() * q < p { return .accepted }
        // Nothing is left only where rounding made p < q of equals.
        guard let excess = wanted.excess(over: drafted) else { return .accepted }
        return .replaced(excess.draw(&random))
    }
}
