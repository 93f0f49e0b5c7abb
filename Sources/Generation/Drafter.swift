import Architectures
import Inference
import Kernels

/// The smaller model of speculative decoding, a few tokens ahead of the larger one.
struct Drafter {
    struct Draft {
        let id: Int32
        /// What it was drawn from.
        let distribution: TokenDistribution
    }

    private let session: ModelSession
    private let sampler: Sampler
    /// Tokens that the larger model knows: paddings of the vocabulary differ in length.
    private let vocabularySize: Int
    private let capacity: Int

    /// - Throws: what `ModelSession` throws.
    init(
        _ model: LanguageModel, vocabularySize: Int, capacity: Int, sampler: Sampler,
        encoding: CacheEncoding, workers: Workers
    ) throws {
        session = try ModelSession(
            model, capacity: capacity, encoding: encoding, workers: workers)
        self.sampler = sampler
        self.capacity = capacity
        self.vocabularySize = min(vocabularySize, model.description.vocabularySize)
    }

    /// Reads the prompt, as far as this model's context goes.
    func prepare(_ prompt: [Int32]) throws {
        guard prompt.count <= capacity else { return }
        _ = try session.read(prompt)
    }

    /// Proposes at most `count` tokens; fewer, or none, where this model's context ends.
    func draft(
        _ count: Int, after history: [Int32], _ random: inout SplitMix64
    ) throws -> [Draft] {
        var drafts: [Draft] = []
        var history = history
        for _ in 0..<max(0, min(count, capacity - history.count)) {
            let logits = try session.read(history[session.cache.position...])
            let known = UnsafeBufferPointer(rebasing: logits.row(0)[..<vocabularySize])
            let distribution = try sampler.distribution(of: known, history: history)
            let id = distribution.draw(&random)
            drafts.append(Draft(id: id, distribution: distribution))
            history.append(id)
        }
        return drafts
    }

    /// Forgets what was read from this position on.
    func forget(from position: Int) {
        session.cache.truncate(to: min(session.cache.position, position))
    }
}
