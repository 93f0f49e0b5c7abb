/// The tokens of a text that is being generated, and what is known about how.
struct GeneratedTokens {
    /// Prompt and text.
    private(set) var history: [Int32]
    private(set) var summary = GenerationSummary()
    private let capacity: Int
    private let maximumTokenCount: Int
    private let stopTokens: Set<Int32>
    private let clock = ContinuousClock()
    private var start: ContinuousClock.Instant

    /// - Parameters:
    ///   - prompt: what comes before the text.
    ///   - capacity: positions for prompt and text.
    ///   - options: where the text ends.
    init(_ prompt: [Int32], capacity: Int, _ options: GenerationOptions) {
        history = prompt
        self.capacity = capacity
        maximumTokenCount = options.maximumTokenCount
        stopTokens = options.stopTokens
        start = clock.now
        summary.promptTokenCount = prompt.count
    }

    /// Tokens that may still come.
    var remainingCount: Int {
        min(maximumTokenCount - summary.tokenCount, capacity - history.count)
    }

    /// Says that the prompt has been read, from when on time counts as the text's.
    mutating func endPrompt() {
        summary.promptDuration = clock.now - start
        start = clock.now
    }

    /// Says that the model has been run.
    mutating func countStep(drafted: Int = 0, accepted: Int = 0) {
        summary.stepCount += 1
        summary.draftedCount += drafted
        summary.acceptedCount += accepted
    }

    /// Takes the next token; false where the text ends, with it or before it.
    mutating func append(_ id: Int32, _ receiver: (Int32) throws -> Bool) rethrows -> Bool {
        guard !stopTokens.contains(id) else {
            summary.stopReason = .stopToken(id)
            return false
        }
        history.append(id)
        summary.tokenCount += 1
        guard try receiver(id) else {
            summary.stopReason = .receiver
            return false
        }
        guard remainingCount > 0 else {
            let isLimit = summary.tokenCount >= maximumTokenCount
            summary.stopReason = isLimit ? .tokenLimit : .contextFull
            return false
        }
        return true
    }

    /// The summary when the text has ended.
    func finished() -> GenerationSummary {
        var summary = summary
        summary.duration = clock.now - start
        return summary
    }
}
