/// What the one decoder must know to run a model: sizes, and a choice for everything in which the
/// families differ.
///
/// What it computes for the tokens of a sequence, with `norm(x)` standing for `x` where the layer has no
/// such norm:
///
///     x = embeddingNorm((tokenEmbedding · embeddingProjection) × embeddingScale + positions)
///     each layer:
///         a = attentionPostNorm(attention(attentionNorm(x)))
///         x = x + residualScale × a
///         f = feedForwardPostNorm(feedForward(feedForwardNorm(x)))
///         x = x + residualScale × f
///     logits = softcap(output · outputProjection · outputNorm(x) × logitScale)
///
/// and for the other arrangements as `Arrangement` says.
public struct DecoderDescription: Sendable, Hashable {
    // MARK: Sizes

    /// Width of the residual stream.
    public var hiddenSize = 0
    /// Width of the token embedding, where it differs from `hiddenSize`.
    public var embeddingSize = 0
    public var feedForwardSize = 0
    public var headCount = 0
    /// Heads of keys and values; each serves `headCount / keyValueHeadCount` query heads
    /// (Ainslie et al. 2023).
    public var keyValueHeadCount = 0
    /// Width of one head.
    public var headSize = 0
    public var vocabularySize = 0
    /// Positions that the model was trained for.
    public var contextLength = 0

    // MARK: Embeddings and output

    /// What the token embedding is multiplied by.
    public var embeddingScale: Float = 1
    /// Absolute positions, added to the embedding.
    public var absolutePositions: AbsolutePositions?
    /// Whether the output projection is the token embedding.
    public var isOutputTied = false
    /// What the logits are multiplied by.
    public var logitScale: Float = 1
    /// c in c·tanh(logit / c), or nil for logits as they are.
    public var logitSoftcap: Float?

    // MARK: Norms and residual stream

    public var norm = Norm()
    /// The norms that the model has, inside the layers and outside.
    public var norms: Set<TensorRole.Module> = [.attentionNorm, .feedForwardNorm, .outputNorm]
    /// The modules that add a bias.
    public var biases: Set<TensorRole.Module> = []
    public var arrangement = Arrangement.sequential
    /// What each half's result is multiplied by before it joins the residual stream.
    public var residualScale: Float = 1

    // MARK: Attention

    /// What the products of queries and keys are multiplied by; nil for 1 / √headSize.
    public var attentionScale: Float?
    /// Whether layer i (from 0) divides its attention scale by i + 1.
    public var dividesAttentionScaleByLayer = false
    /// c in c·tanh(score / c), or nil for scores as they are.
    public var attentionSoftcap: Float?
    /// Queries, keys and values are clamped to ±this.
    public var projectionClip: Float?
    /// What one gain vector of the query and key norms spans.
    public var headNormScope = HeadNormScope.head
    /// Penalties by distance in place of positions (Press et al. 2022).
    public var linearBias: LinearBias?
    /// Rotary positions; nil for a model without.
    public var rotary: RotaryEmbedding?
    /// The rotary positions of layers with a window, where they have their own.
    public var windowedRotary: RotaryEmbedding?
    /// Positions that a query of a windowed layer sees, its own included.
    public var window: Int?

    // MARK: Feed-forward

    public var activation = Activation.silu
    /// down(activation(gate(x)) · up(x)) if true (Shazeer 2020), down(activation(up(x))) if not.
    public var isGated = true
    /// The mixture that takes the feed-forward's place in some layers.
    public var experts: Experts?

    /// What differs from layer to layer.
    public var layers: [Layer] = []

    public init() {}
}

extension DecoderDescription {
    /// Layers; setting it adds layers of the usual kind or removes the last ones.
    public var layerCount: Int {
        get { layers.count }
        set {
            layers = (0..<newValue).map { layers.indices.contains($0) ? layers[$0] : Layer() }
        }
    }

    /// What differs from layer to layer.
    public struct Layer: Sendable, Hashable {
        /// Whether its queries see `window` positions only.
        public var isWindowed = false
        /// Whether its queries and keys are rotated, in a model with rotary positions.
        public var isRotated = true
        /// Whether its feed-forward is the mixture of experts.
        public var usesExperts = false

        public init() {}
    }

    /// How a vector is brought to unit size.
    public struct Norm: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable {
            /// x / √(mean(x²) + ε) (Zhang and Sennrich 2019).
            case rms
            /// (x − mean) / √(variance + ε) (Ba et al. 2016).
            case layer
        }

        public var kind = Kind.rms
        /// What is added to the mean square or the variance.
        public var epsilon: Float = 1e-5
        /// What is added to the gains that the file holds: 1 for Gemma in Hugging Face's files.
        public var gainOffset: Float = 0
        /// Whether there are gains at all.
        public var hasGain = true

        public init() {}
    }

    /// How the two halves of a layer meet the residual stream.
    public enum Arrangement: String, Sendable, Hashable {
        /// x + attention(norm(x)), then x + feedForward(norm(x)).
        case sequential
        /// x + attention(norm(x)) + feedForward(norm(x)) (Wang and Komatsuzaki 2021). Without a
        /// `feedForwardNorm` both halves read the same normed x.
        case parallel
        /// n + attention(n) for n = norm(x), then the same with the feed-forward.
        case normedStream
        /// norm(x + attention(x)), then norm(x + feedForward(x)) (Vaswani et al. 2017).
        case normAfterSum
    }

    /// Vectors added to the embedding by position.
    public enum AbsolutePositions: Sendable, Hashable {
        /// Row `position + offset` of a learned matrix.
        case learned(offset: Int)
        /// Sines in the first half, cosines in the second, of wavelengths from 2π to 2π·10000.
        case sinusoidal
    }

    /// ALiBi: each head lowers its scores by its slope times the distance.
    public struct LinearBias: Sendable, Hashable {
        /// The slopes form a geometric series down to 2^−this.
        public var maximum: Float
        /// Whether the bias is added before the scores are scaled.
        public var isScaled: Bool
        /// Whether slope and product are rounded to bfloat16.
        public var isRounded: Bool

        public init(maximum: Float, isScaled: Bool = false, isRounded: Bool = false) {
            (self.maximum, self.isScaled, self.isRounded) = (maximum, isScaled, isRounded)
        }
    }

    /// What one gain vector of the query and key norms spans.
    public enum HeadNormScope: String, Sendable, Hashable {
        /// Each head is normed by itself, all with the same gains.
        case head
        /// Each head is normed by itself, with its own gains.
        case ownHead
        /// All heads are normed as one vector.
        case projection
    }

    /// The nonlinearity of the feed-forward.
    public enum Activation: String, Sendable, Hashable, CaseIterable {
        case silu
        /// x·Φ(x) (Hendrycks and Gimpel 2016).
        case gelu
        /// GELU by its approximation with tanh.
        case geluTanh
        /// x·σ(1.702·x)
        case geluSigmoid
        case relu
        case reluSquared
    }

    /// A mixture of experts: each token visits the few that the router scores highest
    /// (Shazeer et al. 2017).
    public struct Experts: Sendable, Hashable {
        public var count = 0
        /// Experts that each token visits.
        public var usedCount = 0
        public var feedForwardSize = 0
        /// Whether the visited experts' probabilities are divided by their sum.
        public var isNormalized = true
        /// Width of the expert that every token visits; nil where there is none.
        public var sharedFeedForwardSize: Int?

        public init() {}
    }
}

extension DecoderDescription {
    /// The rotary positions of one layer, or nil where its heads are not rotated.
    public func rotary(ofLayer index: Int) -> RotaryEmbedding? {
        let layer = layers[index]
        guard layer.isRotated else { return nil }
        return layer.isWindowed ? windowedRotary ?? rotary : rotary
    }

    /// Positions that a query of one layer sees, its own included; nil for all.
    public func window(ofLayer index: Int) -> Int? { layers[index].isWindowed ? window : nil }

    /// What the products of queries and keys of one layer are multiplied by.
    public func attentionScale(ofLayer index: Int) -> Float {
        let scale = attentionScale ?? 1 / Float(headSize).squareRoot()
        return dividesAttentionScaleByLayer ? scale / Float(index + 1) : scale
    }
}
