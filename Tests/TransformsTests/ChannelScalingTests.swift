import Architectures
import TestSupport
import Testing

@testable import Transforms

extension ChannelScaling {
    /// Scales between a quarter and four, for every fold of a model.
    static func random(for description: DecoderDescription, seed: UInt64) -> ChannelScaling {
        var generator = SeededGenerator(seed: seed)
        var scaling = ChannelScaling()
        for layer in description.layers.indices {
            for fold in ChannelFold.folds(of: description, layer: layer).folds {
                let scales = (0..<fold.channelCount).map { _ in
                    Float.random(in: 0.25...4, using: &generator)
                }
                scaling.add(scales, at: fold)
            }
        }
        return scaling
    }
}

@Test(.enabled(if: Repository.hasShared, "\(needsShared)"), arguments: models)
func randomScalesChangeNoLogit(path: String) throws {
    let model = try languageModel(path)
    let scaled = try ChannelScaling.random(for: model.description, seed: 3).applied(to: model)
    #expect(try difference(model, scaled) < roundingTolerance)
}

@Test(.enabled(if: Repository.hasShared, "\(needsShared)"))
func scalesReachTheWeights() throws {
    let model = try languageModel("arch/llama")
    let scaled = try ChannelScaling.random(for: model.description, seed: 3).applied(to: model)
    for module: TensorRole.Module in [
        .attentionNorm, .query, .value, .attentionOutput, .feedForwardNorm, .gate, .up, .down,
    ] {
        let role = TensorRole(module, layer: 1)
        let (before, after) = (model.tensors[role], scaled.tensors[role])
        #expect(try before?.bytes() != after?.bytes())
    }
}

@Test func aLayerOfLlamaHasFourFolds() {
    var description = DecoderDescription()
    (description.hiddenSize, description.feedForwardSize) = (8, 16)
    (description.headCount, description.keyValueHeadCount, description.headSize) = (4, 2, 2)
    description.layerCount = 1
    let (folds, obstacles) = ChannelFold.folds(of: description, layer: 0)
    #expect(folds.map(\.place) == [.attentionNorm, .value, .feedForwardNorm, .up])
    #expect(obstacles.isEmpty)
    // Query heads 0 and 1 read the first value, 2 and 3 the second.
    #expect(folds[1].channelOfColumn == [0, 1, 0, 1, 2, 3, 2, 3])
}

@Test func parallelHalvesShareTheScalesOfTheirNorm() {
    var description = DecoderDescription()
    description.arrangement = .parallel
    description.norms.remove(.feedForwardNorm)
    description.layerCount = 1
    let folds = ChannelFold.folds(of: description, layer: 0).folds
    #expect(folds.map(\.place) == [.attentionNorm, .value, .up])
    #expect(folds[0].targets.map(\.module) == [.query, .key, .value, .gate, .up])
}

@Test func aNormScalesTheRouterWithTheExperts() {
    var description = DecoderDescription()
    description.layerCount = 1
    description.layers[0].usesExperts = true
    description.experts = DecoderDescription.Experts()
    description.experts?.count = 2
    description.experts?.sharedFeedForwardSize = 4
    let fold = ChannelFold.folds(of: description, layer: 0).folds.first {
        $0.place == .feedForwardNorm
    }
    let modules = Set(fold?.targets.map(\.module) ?? [])
    #expect(modules == [.router, .gate, .up, .sharedGate, .sharedUp, .sharedRouter])
    #expect(fold?.targets.count == 8)
}

/// A choice of a model that keeps channels from being scaled at one place.
struct ObstacleCase: Sendable, CustomTestStringConvertible {
    let place: ChannelFold.Place
    let reason: String
    let change: @Sendable (inout DecoderDescription) -> Void

    var testDescription: String { reason }

    static let all = [
        ObstacleCase(place: .attentionNorm, reason: "the norm has no gains") {
            $0.norm.hasGain = false
        },
        ObstacleCase(place: .attentionNorm, reason: "there is no norm before the matrices") {
            $0.norms = [.attentionPostNorm, .feedForwardPostNorm]
        },
        ObstacleCase(
            place: .feedForwardNorm, reason: "the norm's result goes on in the residual stream"
        ) { $0.arrangement = .normAfterSum },
        ObstacleCase(place: .value, reason: "values are clamped") { $0.projectionClip = 8 },
        ObstacleCase(place: .up, reason: "gelu stands between the matrices") {
            ($0.isGated, $0.activation) = (false, .gelu)
        },
    ]
}

@Test(arguments: ObstacleCase.all)
func whatCannotBeFoldedIsNamed(obstacle: ObstacleCase) {
    var description = DecoderDescription()
    description.layerCount = 1
    obstacle.change(&description)
    let obstacles = ChannelFold.folds(of: description, layer: 0).obstacles
    #expect(
        obstacles.contains { $0.place == obstacle.place && $0.reason == obstacle.reason })
}
