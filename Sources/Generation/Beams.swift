import Kernels
import TensorIR

/// The texts that a beam search follows, and those that have ended.
struct Beams: Sendable {
    struct Hypothesis: Sendable, Hashable {
        var ids: [Int32] = []
        var logProbability = 0.0
        var stopToken: Int32?

        /// Log-probability for each token, the end included.
        var score: Double {
            logProbability / Double(max(1, ids.count + (stopToken == nil ? 0 : 1)))
        }
    }

    let count: Int
    let stopTokens: Set<Int32>
    /// Most likely first.
    private(set) var running: [Hypothesis] = [Hypothesis()]
    /// At most `count`, best first.
    private(set) var finished: [Hypothesis] = []
    /// Tokens in each running text.
    private(set) var length = 0

    init(count: Int, stopTokens: Set<Int32>) {
        (self.count, self.stopTokens) = (count, stopTokens)
    }

    private struct Extension {
        let source: Int
        let id: Int32
        let logProbability: Double
    }

    /// Extends all running texts by one token.
    ///
    /// - Parameter logits: (running, vocabularySize).
    /// - Returns: which text each of the new ones goes on from.
    /// - Throws: `ModelError` where the logits are no numbers.
    mutating func extend(_ logits: Matrix) throws(ModelError) -> [Int] {
        var sources: [Int] = []
        var next: [Hypothesis] = []
        for (rank, candidate) in try extensions(logits).enumerated() where next.count < count {
            var hypothesis = running[candidate.source]
            hypothesis.logProbability = candidate.logProbability
            if stopTokens.contains(candidate.id) {
                // Less likely ones would not be followed if they went on, and so must not end.
                guard rank < count else { continue }
                hypothesis.stopToken = candidate.id
                finish(hypothesis)
            } else {
                hypothesis.ids.append(candidate.id)
                next.append(hypothesis)
                sources.append(candidate.source)
            }
        }
        running = next
        length += 1
        return sources
    }

    /// Whether no running text would be among the best if it ended as it stands.
    var isOver: Bool {
        guard let best = running.first else { return true }
        guard finished.count == count, let worst = finished.last else { return false }
        return best.score <= worst.score
    }

    /// The best text of all, ended or not.
    var best: Hypothesis {
        let all = finished + running
        return all.dropFirst().reduce(all[0]) { $1.score > $0.score ? $1 : $0 }
    }

    private mutating func finish(_ hypothesis: Hypothesis) {
        let place = finished.firstIndex { $0.score < hypothesis.score } ?? finished.count
        finished.insert(hypothesis, at: place)
        if finished.count > count { finished.removeLast() }
    }

    /// The most likely extensions of all texts: enough for `count` that do not end.
    private func extensions(_ logits: Matrix) throws(ModelError) -> [Extension] {
        let wanted = min(count + stopTokens.count * running.count, logits.columns * running.count)
        var all: [Extension] = []
        for (source, hypothesis) in running.enumerated() {
            let row = UnsafeBufferPointer(logits.row(source))
            try Sampler.checkMaximum(row)
            let normalizer = RowFunctions.logSumExp(row)
            var candidates = Candidates(row)
            TopK(count: wanted).apply(to: &candidates)
            for (id, logit) in zip(candidates.ids, candidates.logits) {
                all.append(
                    Extension(
                        source: source, id: id,
                        logProbability: hypothesis.logProbability + Double(logit) - normalizer))
            }
        }
        all.sort { ($1.logProbability, $0.source, $0.id) < ($0.logProbability, $1.source, $1.id) }
        return Array(all.prefix(wanted))
    }
}
