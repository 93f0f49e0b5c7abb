/// Which tensors a decoder of this description needs, and in which shapes.
extension DecoderDescription {
    /// Every weight and bias that the decoder needs.
    public var requiredRoles: [TensorRole] {
        var outside = outsideModules.flatMap { roles(of: $0) }
        // An output that is the embedding may still have a bias of its own.
        if isOutputTied, biases.contains(.output) { outside.append(TensorRole(.output, .bias)) }
        return outside
            + layers.indices.flatMap { layer in
                modules(ofLayer: layer).flatMap { roles(of: $0, layer: layer) }
                    + expertModules(ofLayer: layer).flatMap { module in
                        (0..<(experts?.count ?? 0)).flatMap {
                            roles(of: module, layer: layer, expert: $0)
                        }
                    }
            }
    }

    /// The modules outside of the layers, in the order in which they run.
    var outsideModules: [TensorRole.Module] {
        var modules: [TensorRole.Module] = [.tokenEmbedding]
        if case .learned? = absolutePositions { modules.append(.positionEmbedding) }
        if embeddingSize != hiddenSize { modules += [.embeddingProjection, .outputProjection] }
        modules += [.embeddingNorm, .outputNorm].filter(isPresent)
        if !isOutputTied { modules.append(.output) }
        return modules
    }

    /// The modules of one layer that stand there once, in the order in which they run.
    public func modules(ofLayer index: Int) -> [TensorRole.Module] {
        var modules: [TensorRole.Module] = [
            .attentionNorm, .query, .key, .value, .queryNorm, .keyNorm, .attentionOutput,
            .attentionPostNorm, .feedForwardNorm,
        ]
        if layers[index].usesExperts {
            modules.append(.router)
            if let experts, experts.sharedFeedForwardSize != nil {
                modules += [.sharedGate, .sharedUp, .sharedDown, .sharedRouter]
            }
        } else {
            modules += isGated ? [.gate, .up, .down] : [.up, .down]
        }
        return (modules + [.feedForwardPostNorm]).filter { !$0.isNorm || isPresent($0) }
    }

    /// The modules of one layer that each expert has.
    public func expertModules(ofLayer index: Int) -> [TensorRole.Module] {
        layers[index].usesExperts ? [.gate, .up, .down] : []
    }

    private func isPresent(_ module: TensorRole.Module) -> Bool {
        norms.contains(module) && norm.hasGain
    }

    private func roles(
        of module: TensorRole.Module, layer: Int? = nil, expert: Int? = nil
    ) -> [TensorRole] {
        let weight = TensorRole(module, layer: layer, expert: expert)
        guard biases.contains(module) else { return [weight] }
        return [weight, TensorRole(module, layer: layer, expert: expert, .bias)]
    }

    /// The shape that a role's tensor must have, outermost dimension first.
    public func shape(of role: TensorRole) -> [Int] {
        let queryWidth = headCount * headSize
        let keyValueWidth = keyValueHeadCount * headSize
        let isExpert = role.expert != nil
        let inner = isExpert ? experts?.feedForwardSize ?? 0 : feedForwardSize
        let sharedInner = experts?.sharedFeedForwardSize ?? 0
        let (rows, columns): (Int, Int?) =
            switch role.module {
            case .tokenEmbedding, .output: (vocabularySize, embeddingSize)
            case .positionEmbedding: (learnedPositionCount, hiddenSize)
            case .embeddingProjection: (hiddenSize, embeddingSize)
            case .outputProjection: (embeddingSize, hiddenSize)
            case .embeddingNorm, .outputNorm, .attentionNorm, .attentionPostNorm,
                .feedForwardNorm, .feedForwardPostNorm:
                (hiddenSize, nil)
            case .rotaryFactors, .rotaryFactorsShort, .rotaryFactorsLong:
                ((rotary?.dimensionCount ?? 0) / 2, nil)
            case .query: (queryWidth, hiddenSize)
            case .key, .value: (keyValueWidth, hiddenSize)
            case .queryNorm, .keyNorm:
                switch headNormScope {
                case .head: (headSize, nil)
                case .ownHead:
                    (role.module == .queryNorm ? headCount : keyValueHeadCount, headSize)
                case .projection: (role.module == .queryNorm ? queryWidth : keyValueWidth, nil)
                }
            case .attentionOutput: (hiddenSize, queryWidth)
            case .gate, .up: (inner, hiddenSize)
            case .down: (hiddenSize, inner)
            case .router: (experts?.count ?? 0, hiddenSize)
            case .sharedGate, .sharedUp: (sharedInner, hiddenSize)
            case .sharedDown: (hiddenSize, sharedInner)
            case .sharedRouter: (hiddenSize, nil)
            }
        guard let columns, role.parameter == .weight else { return [rows] }
        return [rows, columns]
    }

    /// Rows of the matrix of learned positions.
    private var learnedPositionCount: Int {
        guard case .learned(let offset)? = absolutePositions else { return 0 }
        return contextLength + offset
    }
}
