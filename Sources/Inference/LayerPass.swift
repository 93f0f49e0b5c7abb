import Architectures
import Kernels
import TensorIR

/// One layer's work on one batch.
struct LayerPass {
    let decoder: Decoder
    let index: Int
    let batch: TokenBatch
    /// The residual stream, (tokens, hiddenSize).
    let hidden: Matrix
    let scratch: LayerScratch
    let cache: KVCache?
    let observer: (any LinearInputObserver)?

    var layer: DecoderLayer { decoder.layers[index] }
    var description: DecoderDescription { decoder.description }
    var workers: Workers { decoder.workers }

    /// Adds the layer's attention and feed-forward to the residual stream.
    func run() throws {
        try runAttention()
        try runFeedForward()
    }

    /// The first half of `run`: all of it where both halves read the stream as it was.
    func runAttention() throws {
        switch description.arrangement {
        case .sequential:
            try addAttention(of: normed(.attentionNorm))
        case .parallel:
            // Both halves read the stream as it was, so the second norm has a place of its own.
            let input = normed(.attentionNorm)
            let isShared = layer.norms[.feedForwardNorm] == nil
            let second = isShared ? input : normed(.feedForwardNorm, into: scratch.secondNormed)
            try addAttention(of: input)
            try addFeedForward(of: second)
        case .normedStream:
            layer.norms[.attentionNorm]?.apply(to: hidden, into: hidden, workers)
            try addAttention(of: hidden)
        case .normAfterSum:
            try addAttention(of: hidden)
            layer.norms[.attentionNorm]?.apply(to: hidden, into: hidden, workers)
        }
    }

    func runFeedForward() throws {
        switch description.arrangement {
        case .sequential:
            try addFeedForward(of: normed(.feedForwardNorm))
        case .parallel:
            break
        case .normedStream:
            layer.norms[.feedForwardNorm]?.apply(to: hidden, into: hidden, workers)
            try addFeedForward(of: hidden)
        case .normAfterSum:
            try addFeedForward(of: hidden)
            layer.norms[.feedForwardNorm]?.apply(to: hidden, into: hidden, workers)
        }
    }

    /// What a half reads: the residual stream itself where it has no norm.
    private func normed(_ module: TensorRole.Module, into target: Matrix? = nil) -> Matrix {
        guard let norm = layer.norms[module] else { return hidden }
        let target = target ?? scratch.normed
        norm.apply(to: hidden, into: target, workers)
        return target
    }

    // MARK: What the halves share

    /// hidden += residualScale × postNorm(matrix · input)
    func add(
        _ matrix: LinearMatrix, times input: Matrix, postNorm: TensorRole.Module
    ) throws {
        let isPlain = layer.norms[postNorm] == nil && description.residualScale == 1
        let target = isPlain ? hidden : scratch.result
        try matrix.multiply(
            input.elements, into: target.elements, adding: isPlain, workers: workers)
        if !isPlain { addResult(postNorm: postNorm) }
    }

    /// hidden += residualScale × postNorm(scratch.result)
    func addResult(postNorm: TensorRole.Module) {
        let (norm, scale) = (layer.norms[postNorm], description.residualScale)
        let (result, hidden) = (scratch.result, hidden)
        workers.forEachRange(of: hidden.rows, length: 256) { range in
            for row in range {
                let (added, x) = (result.row(row), hidden.row(row))
                norm?.apply(to: added, into: added)
                for index in x.indices { x[index] += scale * added[index] }
            }
        }
    }

    /// The residual stream where a matrix's result is added to it as it is.
    private func stream(behind role: TensorRole) -> Matrix? {
        guard role.expert == nil, description.arrangement == .sequential,
            description.residualScale == 1
        else { return nil }
        switch role.module {
        case .attentionOutput: return layer.norms[.attentionPostNorm] == nil ? hidden : nil
        case .down: return layer.norms[.feedForwardPostNorm] == nil ? hidden : nil
        default: return nil
        }
    }

    /// The weights of some modules that share an input: the observer's, or else the model's.
    ///
    /// - Parameters:
    ///   - modules: of this layer.
    ///   - expert: whose modules they are, in a mixture.
    ///   - input: what they will multiply.
    ///   - tokens: which tokens of the batch the rows of `input` are, if not all.
    /// - Returns: a matrix for each module.
    /// - Throws: what the observer throws.
    func matrices(
        _ modules: [TensorRole.Module], expert: Int? = nil, input: Matrix, tokens: [Int]? = nil
    ) throws -> [LinearMatrix] {
        let roles = modules.map { TensorRole($0, layer: index, expert: expert) }
        let replacements =
            try observer?.replacements(
                for: roles,
                input: LinearInput(
                    values: input.elements, columns: input.columns,
                    stream: stream(behind: roles[0]),
                    tokens: tokens ?? Array(0..<batch.tokenCount), batch: batch),
                decoder: decoder) ?? [:]
        return try roles.map { role in
            guard let matrix = replacements[role] ?? layer.matrices[role] else {
                throw ModelError(missing: role)
            }
            return matrix
        }
    }
}

/// Activations of one layer, allocated once and used for all of them.
package final class LayerScratch {
    private let tokenCount: Int
    private let description: DecoderDescription

    package init(tokenCount: Int, description: DecoderDescription) {
        (self.tokenCount, self.description) = (tokenCount, description)
    }

    /// (tokens, hiddenSize): what the norm before a half gives.
    private(set) lazy var normed = matrix(description.hiddenSize)
    /// The same for the second half of a parallel layer.
    private(set) lazy var secondNormed = matrix(description.hiddenSize)
    /// (tokens, hiddenSize): what a half gives, where that cannot be added to the residual stream at once.
    private(set) lazy var result = matrix(description.hiddenSize)
    /// (tokens, headCount × headSize)
    private(set) lazy var queries = matrix(description.headCount * description.headSize)
    /// (tokens, keyValueHeadCount × headSize)
    private(set) lazy var keys = matrix(description.keyValueHeadCount * description.headSize)
    private(set) lazy var values = matrix(description.keyValueHeadCount * description.headSize)
    /// (tokens, headCount × headSize)
    private(set) lazy var attended = matrix(description.headCount * description.headSize)
    /// (tokens, feedForwardSize)
    private(set) lazy var activated = matrix(description.feedForwardSize)

    private func matrix(_ columns: Int) -> Matrix { Matrix(rows: tokenCount, columns: columns) }
}
