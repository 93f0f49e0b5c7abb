import Architectures
import Testing

/// A small decoder that differs from a plain one in one choice, or in choices that meet.
struct DescriptionOption: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let description: DecoderDescription

    private init(_ name: String, _ change: (inout DecoderDescription) -> Void) {
        var description = DecoderDescription()
        description.hiddenSize = 24
        description.embeddingSize = 24
        description.feedForwardSize = 40
        description.headCount = 4
        description.keyValueHeadCount = 2
        description.headSize = 8
        description.vocabularySize = 50
        description.contextLength = 64
        description.layerCount = 3
        description.rotary = .small
        change(&description)
        (testDescription, self.description) = (name, description)
    }

    static let all = norms + attention + positions + feedForward + outside

    private static let norms = [
        DescriptionOption("plain") { _ in },
        DescriptionOption("gain offset") { $0.norm.gainOffset = 1 },
        DescriptionOption("layer norm") { $0.norm.kind = .layer },
        DescriptionOption("layer norm with biases") {
            $0.norm.kind = .layer
            $0.biases = [.attentionNorm, .feedForwardNorm, .outputNorm]
        },
        DescriptionOption("norms without gains") {
            $0.norm.kind = .layer
            $0.norm.hasGain = false
        },
        DescriptionOption("parallel, two norms") { $0.arrangement = .parallel },
        DescriptionOption("parallel, one norm") {
            $0.arrangement = .parallel
            $0.norms.remove(.feedForwardNorm)
        },
        DescriptionOption("normed stream") { $0.arrangement = .normedStream },
        DescriptionOption("norm after sum") {
            $0.arrangement = .normAfterSum
            $0.norms.remove(.outputNorm)
        },
        DescriptionOption("norms before and after") {
            $0.norms.formUnion([.attentionPostNorm, .feedForwardPostNorm])
        },
        DescriptionOption("norms after only") {
            $0.norms = [.attentionPostNorm, .feedForwardPostNorm, .outputNorm]
        },
        DescriptionOption("residual scale") { $0.residualScale = 0.22 },
        DescriptionOption("residual scale, parallel") {
            $0.residualScale = 0.22
            $0.arrangement = .parallel
        },
    ]

    private static let attention =
        [
            DescriptionOption("multi-head") { $0.keyValueHeadCount = 4 },
            DescriptionOption("multi-query") { $0.keyValueHeadCount = 1 },
            DescriptionOption("biases") {
                $0.biases = [.query, .key, .value, .attentionOutput, .gate, .up, .down]
            },
            DescriptionOption("projection clip") { $0.projectionClip = 0.7 },
            DescriptionOption("attention scale") { $0.attentionScale = 0.8 },
            DescriptionOption("scale divided by layer") { $0.dividesAttentionScaleByLayer = true },
            DescriptionOption("attention softcap") { $0.attentionSoftcap = 0.9 },
            DescriptionOption("windows in some layers") {
                $0.window = 5
                $0.layers[0].isWindowed = true
                $0.layers[2].isWindowed = true
            },
            DescriptionOption("window of one") {
                $0.window = 1
                $0.layers[1].isWindowed = true
            },
        ]
        + [DecoderDescription.HeadNormScope.head, .ownHead, .projection].flatMap { scope in
            [DecoderDescription.Norm.Kind.rms, .layer].map { kind in
                DescriptionOption("\(kind) norm of queries and keys by \(scope)") {
                    $0.norm.kind = kind
                    $0.headNormScope = scope
                    $0.norms.formUnion([.queryNorm, .keyNorm])
                    if kind == .layer { $0.biases = scope == .head ? [.queryNorm, .keyNorm] : [] }
                }
            }
        }

    private static let positions = [
        DescriptionOption("adjacent pairs") { $0.rotary?.pairing = .adjacent },
        DescriptionOption("partial rotation") { $0.rotary?.dimensionCount = 4 },
        DescriptionOption("partial rotation of adjacent pairs") {
            $0.rotary?.dimensionCount = 6
            $0.rotary?.pairing = .adjacent
        },
        DescriptionOption("linear scaling") { $0.rotary?.scaling = .linear(factor: 4) },
        DescriptionOption("dynamic scaling") {
            $0.rotary?.scaling = .dynamic(factor: 3, originalContext: 16)
        },
        DescriptionOption("YaRN with an attention factor") {
            var yarn = RotaryEmbedding.YaRN(factor: 4, originalContext: 16)
            yarn.attentionFactor = 1.3
            $0.rotary?.scaling = .yarn(yarn)
        },
        DescriptionOption("LongRoPE") {
            $0.rotary?.scaling = .longRoPE(
                RotaryEmbedding.LongRoPE(
                    short: [1, 1, 1, 1], long: [1, 2, 3, 4], originalContext: 16,
                    attentionFactor: 1.1))
        },
        DescriptionOption("own rotations of windowed layers") {
            $0.window = 7
            $0.layers[1].isWindowed = true
            $0.windowedRotary = .small
            $0.windowedRotary?.base = 50
        },
        DescriptionOption("layers that are not rotated") { $0.layers[1].isRotated = false },
        DescriptionOption("no positions") { $0.rotary = nil },
        DescriptionOption("learned positions") {
            $0.rotary = nil
            $0.absolutePositions = .learned(offset: 2)
        },
        DescriptionOption("sinusoidal positions") {
            $0.rotary = nil
            $0.absolutePositions = .sinusoidal
        },
        DescriptionOption("linear bias") {
            $0.rotary = nil
            $0.linearBias = DecoderDescription.LinearBias(maximum: 8)
        },
        DescriptionOption("linear bias of six heads and a window") {
            $0.rotary = nil
            $0.headCount = 6
            $0.keyValueHeadCount = 3
            $0.window = 9
            $0.layers[0].isWindowed = true
            $0.linearBias = DecoderDescription.LinearBias(maximum: 4)
        },
        DescriptionOption("linear bias, scaled and rounded") {
            $0.rotary = nil
            $0.headCount = 6
            // Of 8, all slopes of six heads are powers of two, which no rounding changes.
            $0.linearBias = DecoderDescription.LinearBias(
                maximum: 7, isScaled: true, isRounded: true)
        },
    ]

    private static let feedForward =
        DecoderDescription.Activation.allCases.flatMap { activation in
            [true, false].map { isGated in
                DescriptionOption("\(activation), \(isGated ? "gated" : "not gated")") {
                    $0.activation = activation
                    $0.isGated = isGated
                }
            }
        } + [
            DescriptionOption("experts") { $0.mix(count: 5, used: 2) },
            DescriptionOption("experts, not normalized") {
                $0.mix(count: 5, used: 3, isNormalized: false)
            },
            DescriptionOption("one expert of many") { $0.mix(count: 40, used: 1) },
            DescriptionOption("all experts, biased, without gates") {
                $0.mix(count: 3, used: 3)
                $0.isGated = false
                $0.biases = [.router, .up, .down]
            },
            DescriptionOption("shared expert") { $0.mix(count: 4, used: 2, shared: 20) },
            DescriptionOption("experts between dense layers, norms after") {
                $0.mix(count: 4, used: 2)
                $0.layers[1].usesExperts = false
                $0.norms.formUnion([.attentionPostNorm, .feedForwardPostNorm])
            },
            DescriptionOption("experts that read what attention reads") {
                $0.mix(count: 4, used: 2, shared: 8)
                $0.arrangement = .parallel
                $0.norms.remove(.feedForwardNorm)
            },
            DescriptionOption("experts that read the residual stream") {
                $0.mix(count: 4, used: 2, shared: 8)
                $0.norms = [.attentionPostNorm, .feedForwardPostNorm, .outputNorm]
            },
        ]

    private static let outside = [
        DescriptionOption("embedding scale") { $0.embeddingScale = 5 },
        DescriptionOption("embedding norm with bias") {
            $0.norms.insert(.embeddingNorm)
            $0.norm.kind = .layer
            $0.biases = [.embeddingNorm]
        },
        DescriptionOption("narrow embedding") {
            $0.embeddingSize = 10
            $0.isOutputTied = true
        },
        DescriptionOption("narrow embedding, output of its own") { $0.embeddingSize = 10 },
        DescriptionOption("tied output") { $0.isOutputTied = true },
        DescriptionOption("output bias") { $0.biases = [.output] },
        DescriptionOption("logit scale and softcap") {
            $0.logitScale = 0.5
            $0.logitSoftcap = 0.8
        },
    ]
}

extension RotaryEmbedding {
    fileprivate static let small = RotaryEmbedding(dimensionCount: 8, base: 1000, pairing: .halves)
}

extension DecoderDescription {
    fileprivate mutating func mix(
        count: Int, used: Int, isNormalized: Bool = true, shared: Int? = nil
    ) {
        var experts = Experts()
        (experts.count, experts.usedCount, experts.isNormalized) = (count, used, isNormalized)
        (experts.feedForwardSize, experts.sharedFeedForwardSize) = (16, shared)
        self.experts = experts
        for layer in layers.indices { layers[layer].usesExperts = true }
    }
}
