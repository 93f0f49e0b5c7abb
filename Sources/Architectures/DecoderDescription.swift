/// What the one decoder must know to run a model: sizes, and a choice for everything in which the
/// families differ.
public struct DecoderDescription: Sendable, Hashable {
    public var layerCount: Int
    /// Width of the residual stream.
    public var hiddenSize: Int
    public var feedForwardSize: Int
    public var headCount: Int
    /// Heads of keys and values; each serves `headCount / keyValueHeadCount` query heads
    /// (Ainslie et al. 2023).
    public var keyValueHeadCount: Int
    /// Width of one head.
    public var headSize: Int
    public var vocabularySize: Int
    /// Positions that the model was trained for.
    public var contextLength: Int
    /// What RMSNorm adds to the mean square.
    public var normEpsilon: Float
    public var rotary: RotaryEmbedding
    /// Whether the output projection is the token embedding.
    public var isOutputTied: Bool

    public init(
        layerCount: Int, hiddenSize: Int, feedForwardSize: Int, headCount: Int,
        keyValueHeadCount: Int, headSize: Int, vocabularySize: Int, contextLength: Int,
        normEpsilon: Float, rotary: RotaryEmbedding, isOutputTied: Bool
    ) {
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.feedForwardSize = feedForwardSize
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.normEpsilon = normEpsilon
        self.rotary = rotary
        self.isOutputTied = isOutputTied
    }

    /// The shape that a role's tensor must have, outermost dimension first.
    public func shape(of role: TensorRole) -> [Int] {
        let queryWidth = headCount * headSize
        let keyValueWidth = keyValueHeadCount * headSize
        let (rows, columns): (Int, Int?) =
            switch role.module {
            case .tokenEmbedding, .output: (vocabularySize, hiddenSize)
            case .outputNorm, .attentionNorm, .feedForwardNorm: (hiddenSize, nil)
            case .rotaryFactors: (rotary.dimensionCount / 2, nil)
            case .query: (queryWidth, hiddenSize)
            case .key, .value: (keyValueWidth, hiddenSize)
            case .attentionOutput: (hiddenSize, queryWidth)
            case .gate, .up: (feedForwardSize, hiddenSize)
            case .down: (hiddenSize, feedForwardSize)
            }
        guard let columns, role.parameter == .weight else { return [rows] }
        return [rows, columns]
    }
}
