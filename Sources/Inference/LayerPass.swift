import Architectures
import Kernels
import Synchronization
import TensorIR

/// One layer's work on one batch.
struct LayerPass {
    let decoder: Decoder
    /// Layer number `index` of the decoder.
    let layer: DecoderLayer
    let index: Int
    let batch: TokenBatch
    /// The residual stream, (tokens, hiddenSize).
    let hidden: Matrix
    let scratch: LayerScratch
    let cache: KVCache?
    let observer: (any LinearInputObserver)?

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
            let input = try normed(.attentionNorm)
            let isShared = layer.norms[.feedForwardNorm] == nil
            let second =
                try isShared ? input : normed(.feedForwardNorm, into: scratch(.secondNormed))
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
    private func normed(
        _ module: TensorRole.Module, into target: Matrix? = nil
    ) throws -> Matrix {
        guard let norm = layer.norms[module] else { return hidden }
        let target = try target ?? scratch(.normed)
        norm.apply(to: hidden, into: target, workers)
        return target
    }

    // MARK: What the halves share

    /// hidden += residualScale × postNorm(matrix · input)
    func add(
        _ matrix: LinearMatrix, times input: Matrix, postNorm: TensorRole.Module
    ) throws {
        let isPlain = layer.norms[postNorm] == nil && description.residualScale == 1
        let target = try isPlain ? hidden : scratch(.result)
        try matrix.multiply(
            input.elements, into: target.elements, adding: isPlain, workers: workers)
        if !isPlain { addResult(target, postNorm: postNorm) }
    }

    /// hidden += residualScale × postNorm(result)
    func addResult(_ result: Matrix, postNorm: TensorRole.Module) {
        let (norm, scale) = (layer.norms[postNorm], description.residualScale)
        let hidden = hidden
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
    enum Slot: Hashable {
        /// (tokens, hiddenSize): what the norm before a half gives.
        case normed
        /// The same for the second half of a parallel layer.
        case secondNormed
        /// (tokens, hiddenSize): what a half gives, where that cannot be added to the residual stream at once.
        case result
        /// (tokens, headCount × headSize): queries, and later what they make of the values.
        case queries
        /// (tokens, keyValueHeadCount × headSize)
        case keys, values
        /// (tokens, feedForwardSize)
        case activated
    }

    let tokenCount: Int
    private let description: DecoderDescription
    private let memory: MatrixMemory
    private var matrices: [Slot: Matrix] = [:]

    package init(
        tokenCount: Int, description: DecoderDescription, memory: MatrixMemory = .unlimited
    ) {
        (self.tokenCount, self.description, self.memory) = (tokenCount, description, memory)
    }

    /// - Throws: `SystemError` where there is no room for the matrix.
    func callAsFunction(_ slot: Slot) throws -> Matrix {
        if let matrix = matrices[slot] { return matrix }
        let columns =
            switch slot {
            case .normed, .secondNormed, .result: description.hiddenSize
            case .queries: description.headCount * description.headSize
            case .keys, .values: description.keyValueHeadCount * description.headSize
            case .activated: description.feedForwardSize
            }
        let matrix = try memory.matrix(rows: tokenCount, columns: columns)
        matrices[slot] = matrix
        return matrix
    }
}

/// Activations that no thread uses at the moment.
final class ScratchShelf: Sendable {
    /// One thread has it at a time.
    private struct Free: @unchecked Sendable {
        var scratches: [LayerScratch] = []
    }

    private let description: DecoderDescription
    private let free = Mutex(Free())

    init(_ description: DecoderDescription) { self.description = description }

    /// Lends one of so many tokens.
    func lend<Result>(
        tokenCount: Int, _ body: (LayerScratch) throws -> Result
    ) rethrows -> Result {
        let found = free.withLock { free in
            free.scratches.firstIndex { $0.tokenCount == tokenCount }.map {
                Free(scratches: [free.scratches.remove(at: $0)])
            }
        }
        let scratch =
            found?.scratches[0] ?? LayerScratch(tokenCount: tokenCount, description: description)
        nonisolated(unsafe) let returned = scratch
        defer { free.withLock { $0.scratches.append(returned) } }
        return try body(scratch)
    }
}
