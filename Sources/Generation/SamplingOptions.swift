/// How the next token is chosen from what the model says about it.
///
/// The steps are taken in the order of the properties, which is that of transformers. (llama.cpp
/// applies the temperature last, so that its top-p and min-p see other probabilities.)
public struct SamplingOptions: Sendable, Hashable {
    /// Makes tokens that are already there less likely; 1 leaves them alone.
    public var repetitionPenalty: Float = 1
    /// How many of the last tokens are penalized, the prompt's included; nil for all.
    public var repetitionWindow: Int?
    /// Divides the logits: below 1 sharpens the distribution, above 1 flattens it. 0 takes the most
    /// likely token, the one with the lowest id among equals.
    public var temperature: Float = 0
    /// Keeps so many of the most likely tokens; nil keeps all.
    public var topK: Int?
    /// Keeps the fewest tokens whose probabilities reach this sum; 1 keeps all.
    public var topP: Float = 1
    /// Keeps tokens with at least this share of the most likely one's probability; 0 keeps all.
    public var minP: Float = 0
    /// Where the random numbers start: the same seed gives the same tokens.
    public var seed: UInt64 = 0

    public init() {}
}
