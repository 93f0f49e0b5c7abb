import Inference

/// What to generate, and how.
public struct GenerationOptions: Sendable {
    public var sampling = SamplingOptions()
    /// Tokens to generate at most.
    public var maximumTokenCount = 512
    /// Tokens that end the text. They are not part of it.
    public var stopTokens: Set<Int32> = []
    /// How keys and values are held.
    public var cacheEncoding = CacheEncoding.f32
    /// Threads to compute on; nil for one per processor. The text does not depend on it.
    public var threadCount: Int?

    public init() {}
}

/// Why a text ended.
public enum StopReason: Sendable, Hashable {
    /// The model wrote a token that ends texts.
    case stopToken(Int32)
    /// As many tokens as were asked for.
    case tokenLimit
    /// The model has no more positions.
    case contextFull
    /// Whoever takes the tokens had enough.
    case receiver
}

/// How a text came about.
public struct GenerationSummary: Sendable {
    public var promptTokenCount = 0
    public var promptDuration = Duration.zero
    public var tokenCount = 0
    /// Time since the prompt was read.
    public var duration = Duration.zero
    /// Times that the model was run after the prompt.
    public var stepCount = 0
    /// Tokens that a draft model proposed, and those of them that the model took.
    public var draftedCount = 0
    public var acceptedCount = 0
    public var stopReason = StopReason.tokenLimit

    public init() {}
}
