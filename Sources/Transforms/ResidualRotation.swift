import Architectures
import BlockFormats
import TensorIR

/// Turns the residual stream of a model, and the values of its heads, by orthogonal matrices: the model
/// computes what it did before, on weights that have no outstanding channels (Ashkboos et al. 2024).
///
/// A stream x becomes x·R. What writes to it is multiplied by R, what reads it by Rᵀ. Between the two
/// stand norms: x/√(mean x²) turns with x, gains do not, so those are multiplied into the matrices that
/// follow and become 1. A norm that takes the mean off turns with x if R leaves the mean where it is.
/// The output matrix takes in the last norm's gains, which an embedding cannot, so the two part.
package struct ResidualRotation: Sendable {
    private let stream: OrthogonalMatrix
    /// Nil where values are clamped, which does not turn with them.
    private let heads: OrthogonalMatrix?
    private let description: DecoderDescription
    private let cache = RotationCache()

    /// Whether the output matrix, which was the embedding, becomes one of its own. A narrower embedding
    /// does not read the stream itself.
    package var unties: Bool { description.isOutputTied && !hasNarrowEmbedding }

    private var hasNarrowEmbedding: Bool { description.embeddingSize != description.hiddenSize }

    /// Whether the stream is turned by a Hadamard matrix.
    package var isHadamard: Bool { stream.isHadamard }

    /// - Parameters:
    ///   - description: the model's.
    ///   - seed: the same matrices for the same number.
    /// - Throws: `ModelError` naming what does not turn.
    package init(_ description: DecoderDescription, seed: UInt64) throws(ModelError) {
        if let obstacle = Self.obstacle(in: description) {
            throw ModelError("the residual stream of this model cannot be rotated: \(obstacle)")
        }
        self.description = description
        stream = OrthogonalMatrix(
            order: description.hiddenSize, seed: seed, keepsMean: description.norm.kind == .layer)
        heads =
            description.projectionClip == nil
            ? OrthogonalMatrix(order: description.headSize, seed: seed &+ 1) : nil
    }

    private static func obstacle(in description: DecoderDescription) -> String? {
        switch description.arrangement {
        case .sequential, .parallel: break
        case .normedStream, .normAfterSum:
            return "the gains of its norms stand in the stream itself"
        }
        let norms = description.norms
        if norms.contains(.attentionPostNorm) || norms.contains(.feedForwardPostNorm) {
            return "norms with gains stand behind its attention or feed-forward"
        }
        if norms.contains(.embeddingNorm) { return "a norm with gains stands behind its embedding" }
        if case .sinusoidal? = description.absolutePositions {
            return "its positions are computed, not weights"
        }
        return nil
    }
}

extension ResidualRotation {
    /// The model with its tensors rotated, all in 32-bit floats, and its output apart from the embedding.
    /// - Throws: `ModelError` for a norm whose bias no gain can carry.
    package func applied(to model: LanguageModel) throws -> LanguageModel {
        precondition(model.description == description)
        var tensors: [TensorRole: any TensorSource] = [:]
        for (role, tensor) in model.tensors { tensors[role] = tensor }
        var rotated = try self.rotated(tensors)
        guard unties, let output = rotated.removeValue(forKey: .output) else {
            return model.replacing(rotated)
        }
        return try model.replacing(rotated).untied(output: output)
    }

    /// A model's tensors, rotated, with an output matrix even where the embedding was one.
    package func rotated(
        _ tensors: [TensorRole: any TensorSource]
    ) throws -> [TensorRole: any TensorSource] {
        var tensors = tensors
        if unties { tensors[.output] = tensors[TensorRole(.tokenEmbedding)] }
        let gains = try gains(in: tensors)
        return try tensors.reduce(into: [:]) { result, entry in
            let (role, tensor) = entry
            result[role] =
                role.module.isNorm
                ? try norm(tensor, role, gains: gains[role.weights])
                : try matrix(tensor, role, gains: norm(before: role).flatMap { gains[$0] })
        }
    }

    /// The gains of the norms on the stream; there are none for those of queries and keys.
    private func gains(
        in tensors: [TensorRole: any TensorSource]
    ) throws -> [TensorRole: [Float]] {
        try tensors.reduce(into: [:]) { result, entry in
            let (role, tensor) = entry
            guard role.module.isNormOfStream, role.parameter == .weight else { return }
            result[role] = try tensor.floats().map { $0 + description.norm.gainOffset }
        }
    }

    /// The norm whose result a matrix reads; a bias reads nothing.
    private func norm(before role: TensorRole) -> TensorRole? {
        guard role.parameter == .weight else { return nil }
        return switch role.module {
        case .query, .key, .value: TensorRole(.attentionNorm, layer: role.layer)
        case .gate, .up, .router, .sharedGate, .sharedUp, .sharedRouter:
            // Halves side by side may share a norm.
            TensorRole(
                description.norms.contains(.feedForwardNorm) ? .feedForwardNorm : .attentionNorm,
                layer: role.layer)
        case .outputProjection: TensorRole(.outputNorm)
        case .output: hasNarrowEmbedding ? nil : TensorRole(.outputNorm)
        default: nil
        }
    }

    private func norm(
        _ tensor: any TensorSource, _ role: TensorRole, gains: [Float]?
    ) throws -> any TensorSource {
        guard role.module.isNormOfStream else { return try DecodedTensor(tensor) }
        let name = tensor.descriptor.name
        let gains = gains ?? [Float](repeating: 1, count: tensor.descriptor.columns)
        guard role.parameter == .bias else {
            let one = 1 - description.norm.gainOffset
            return try BufferedTensor(name, floats: gains.map { _ in one })
        }
        // g·n + b = g·(n + b/g): the gains go, and the rest of the bias turns with the stream.
        let rest = try zip(tensor.floats(), gains).enumerated().map { channel, pair in
            guard pair.1 != 0 || pair.0 == 0 else {
                throw ModelError(
                    "tensor '\(name)': channel \(channel) has a bias and no gain, so the residual "
                        + "stream cannot be rotated")
            }
            return pair.0 == 0 ? 0 : pair.0 / pair.1
        }
        return try RotatedTensor(BufferedTensor(name, floats: rest), inputs: stream, cache: cache)
    }

    private func matrix(
        _ tensor: any TensorSource, _ role: TensorRole, gains: [Float]?
    ) throws -> any TensorSource {
        func rotated(
            inputs: OrthogonalMatrix? = nil, outputs: OrthogonalMatrix? = nil
        ) throws -> any TensorSource {
            guard inputs != nil || outputs != nil else { return try DecodedTensor(tensor) }
            return try RotatedTensor(
                tensor, gains: gains, inputs: inputs, outputs: outputs, cache: cache)
        }
        if role.parameter == .bias {
            // A bias is a row that is added to the outputs.
            switch role.module {
            case .attentionOutput, .down, .sharedDown: return try rotated(inputs: stream)
            case .value: return try rotated(inputs: heads)
            default: return try rotated()
            }
        }
        switch role.module {
        case .tokenEmbedding, .output: return try rotated(inputs: hasNarrowEmbedding ? nil : stream)
        case .positionEmbedding, .outputProjection: return try rotated(inputs: stream)
        case .embeddingProjection: return try rotated(outputs: stream)
        case .query, .key, .gate, .up, .router, .sharedGate, .sharedUp, .sharedRouter:
            return try rotated(inputs: stream)
        case .value: return try rotated(inputs: stream, outputs: heads)
        case .attentionOutput: return try rotated(inputs: heads, outputs: stream)
        case .down, .sharedDown: return try rotated(outputs: stream)
        default: return tensor
        }
    }
}

extension TensorRole {
    fileprivate static let output = TensorRole(.output)

    /// The weights of the module that this is a parameter of.
    fileprivate var weights: TensorRole { TensorRole(module, layer: layer, expert: expert) }
}

extension TensorRole.Module {
    /// Whether it norms the residual stream, rather than a head's queries or keys.
    fileprivate var isNormOfStream: Bool { isNorm && self != .queryNorm && self != .keyNorm }
}
