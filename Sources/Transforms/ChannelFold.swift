import Architectures

/// A place in a model where channels can change their scale without changing what the model computes:
/// what makes a channel is divided by a number, what reads it is multiplied by the same.
package struct ChannelFold: Sendable, Hashable {
    /// The places of one layer, as reports name them.
    package enum Place: String, Sendable, Hashable, CaseIterable {
        /// The norm before queries, keys and values.
        case attentionNorm = "norm → q, k, v"
        /// Values to the attention's output; query heads that share a value share its scales.
        case value = "v → o"
        /// The norm before the feed-forward, or before the router and all experts.
        case feedForwardNorm = "norm → feed-forward"
        /// The factor that no nonlinearity touches.
        case up = "up → down"
    }

    package let place: Place
    package let layer: Int
    /// The expert of a mixture whose channels they are; nil for what all tokens share.
    package let expert: Int?
    /// The weights whose rows, or gains, make the channels.
    package let source: TensorRole
    /// The weights that read the channels, by column.
    package let targets: [TensorRole]
    package let channelCount: Int
    /// The channel that each column of the targets reads.
    package let channelOfColumn: [Int]
}

extension ChannelFold {
    /// A place that a layer has and that cannot be folded.
    package struct Obstacle: Error, Sendable, Hashable {
        package let place: Place
        package let reason: String
    }

    /// All places of a layer that can be folded, in the order in which they run, and why others cannot.
    package static func folds(
        of description: DecoderDescription, layer: Int
    ) -> (folds: [ChannelFold], obstacles: [Obstacle]) {
        let plan = LayerFolds(description: description, layer: layer)
        var folds: [ChannelFold] = []
        var obstacles: [Obstacle] = []
        for place in Place.allCases {
            do throws(Obstacle) {
                folds += try plan.folds(at: place)
            } catch {
                obstacles.append(error)
            }
        }
        return (folds, obstacles)
    }
}

/// What the description of a model allows in one layer.
private struct LayerFolds {
    let description: DecoderDescription
    let layer: Int

    func folds(at place: ChannelFold.Place) throws(ChannelFold.Obstacle) -> [ChannelFold] {
        switch place {
        case .attentionNorm:
            let isShared =
                description.arrangement == .parallel
                && !description.norms.contains(.feedForwardNorm)
            return [try norm(place, [.query, .key, .value], thenFeedForward: isShared)]
        case .feedForwardNorm:
            // A parallel layer may have one norm for both halves, which is the other place.
            if description.arrangement == .parallel,
                !description.norms.contains(.feedForwardNorm)
            {
                return []
            }
            return [try norm(place, [], thenFeedForward: true)]
        case .value: return [try value()]
        case .up: return try up()
        }
    }

    private func norm(
        _ place: ChannelFold.Place, _ modules: [TensorRole.Module], thenFeedForward: Bool
    ) throws(ChannelFold.Obstacle) -> ChannelFold {
        func impossible(_ reason: String) -> ChannelFold.Obstacle {
            ChannelFold.Obstacle(place: place, reason: reason)
        }
        let module: TensorRole.Module =
            place == .attentionNorm ? .attentionNorm : .feedForwardNorm
        switch description.arrangement {
        case .sequential, .parallel: break
        case .normedStream, .normAfterSum:
            throw impossible("the norm's result goes on in the residual stream")
        }
        guard description.norms.contains(module) else {
            throw impossible("there is no norm before the matrices")
        }
        guard description.norm.hasGain else { throw impossible("the norm has no gains") }
        let targets = modules.map { TensorRole($0, layer: layer) }
        return ChannelFold(
            place: place, layer: layer, expert: nil, source: TensorRole(module, layer: layer),
            targets: targets + (thenFeedForward ? feedForwardInputs : []),
            channelCount: description.hiddenSize,
            channelOfColumn: Array(0..<description.hiddenSize))
    }

    /// Everything that reads the norm before the feed-forward.
    private var feedForwardInputs: [TensorRole] {
        let inputs: Set<TensorRole.Module> = [
            .gate, .up, .router, .sharedGate, .sharedUp, .sharedRouter,
        ]
        let experts = (0..<(description.experts?.count ?? 0)).flatMap { expert in
            description.expertModules(ofLayer: layer).filter(inputs.contains).map {
                TensorRole($0, layer: layer, expert: expert)
            }
        }
        return experts
            + description.modules(ofLayer: layer).filter(inputs.contains).map {
                TensorRole($0, layer: layer)
            }
    }

    private func value() throws(ChannelFold.Obstacle) -> ChannelFold {
        guard description.projectionClip == nil else {
            throw ChannelFold.Obstacle(place: .value, reason: "values are clamped")
        }
        let headSize = description.headSize
        let headsPerValue = description.headCount / max(1, description.keyValueHeadCount)
        return ChannelFold(
            place: .value, layer: layer, expert: nil, source: TensorRole(.value, layer: layer),
            targets: [TensorRole(.attentionOutput, layer: layer)],
            channelCount: description.keyValueHeadCount * headSize,
            channelOfColumn: (0..<description.headCount * headSize).map { column in
                let (head, dimension) = column.quotientAndRemainder(dividingBy: headSize)
                return head / headsPerValue * headSize + dimension
            })
    }

    private func up() throws(ChannelFold.Obstacle) -> [ChannelFold] {
        guard description.isGated || description.activation == .relu else {
            throw ChannelFold.Obstacle(
                place: .up, reason: "\(description.activation.rawValue) stands between the matrices"
            )
        }
        func fold(
            _ up: TensorRole.Module, _ down: TensorRole.Module, expert: Int? = nil
        ) -> ChannelFold {
            let target = TensorRole(down, layer: layer, expert: expert)
            let width = description.shape(of: target).last ?? 0
            return ChannelFold(
                place: .up, layer: layer, expert: expert,
                source: TensorRole(up, layer: layer, expert: expert), targets: [target],
                channelCount: width, channelOfColumn: Array(0..<width))
        }
        guard description.layers[layer].usesExperts, let experts = description.experts else {
            return [fold(.up, .down)]
        }
        let shared = experts.sharedFeedForwardSize == nil ? [] : [fold(.sharedUp, .sharedDown)]
        return (0..<experts.count).map { fold(.up, .down, expert: $0) } + shared
    }
}
