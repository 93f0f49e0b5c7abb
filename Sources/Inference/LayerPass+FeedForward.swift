import Architectures
import Kernels

extension LayerPass {
    func addFeedForward(of input: Matrix) throws {
        if description.layers[index].usesExperts, let experts = description.experts {
            return try addMixture(experts, of: input)
        }
        let matrices = FeedForwardModules(isGated: description.isGated)
        let activated = try scratch(.activated)
        try activate(matrices, input, into: activated)
        let down = try self.matrices([matrices.down], input: activated)[0]
        try add(down, times: activated, postNorm: .feedForwardPostNorm)
    }

    /// The first half of a feed-forward: activation(gate(x)) · up(x), or activation(up(x)) without a gate.
    ///
    /// - Parameters:
    ///   - modules: whose matrices they are.
    ///   - input: (tokens, hiddenSize).
    ///   - tokens: which tokens of the batch the rows of `input` are, if not all.
    ///   - activated: (tokens, inner size).
    /// - Throws: what the observer throws, and reading the weights.
    func activate(
        _ modules: FeedForwardModules, _ input: Matrix, tokens: [Int]? = nil, into activated: Matrix
    ) throws {
        let matrices = try matrices(
            modules.inputs, expert: modules.expert, input: input, tokens: tokens)
        func multiply(_ matrices: [LinearMatrix]) throws {
            try matrices[0].multiply(
                input, applying: description.activation,
                times: matrices.count > 1 ? matrices[1] : nil, into: activated, workers)
        }
        guard TileGrid.decodesOften(tokens: input.rows, workers) else {
            return try multiply(matrices)
        }
        try LinearMatrix.withPrepared(matrices, workers, multiply)
    }
}

/// The modules of one feed-forward: a layer's own, one expert's, or the shared expert's.
struct FeedForwardModules {
    /// Those that share the input, first the one whose result goes through the nonlinearity.
    let inputs: [TensorRole.Module]
    let down: TensorRole.Module
    let expert: Int?

    init(isGated: Bool, expert: Int? = nil) {
        inputs = isGated ? [.gate, .up] : [.up]
        down = .down
        self.expert = expert
    }

    private init(inputs: [TensorRole.Module], down: TensorRole.Module) {
        (self.inputs, self.down, expert) = (inputs, down, nil)
    }

    /// The expert that every token visits.
    static let shared = FeedForwardModules(inputs: [.sharedGate, .sharedUp], down: .sharedDown)
}

extension LinearMatrix {
    /// result = activation(x · selfᵀ) · (x · factorᵀ), a tile of both at a time, so that the second product
    /// is never held.
    func multiply(
        _ x: Matrix, applying activation: DecoderDescription.Activation,
        times factor: LinearMatrix?, into result: Matrix, _ workers: Workers
    ) throws {
        if x.rows <= fewRows {
            return try multiplyFew(
                x, applying: activation, times: factor, into: result, workers)
        }
        let grid = TileGrid(
            tokens: x.rows, rows: rows, columns: columns, isLone: workers.isInsideOfItem)
        try Activations.with(
            x.elements, columns: columns, rounded: isRounding(tokens: x.rows), workers
        ) { x in
            try workers.forEach(grid.count) { item in
                let (tokens, tile) = grid[item]
                let output = result.pointer(toRow: tokens.lowerBound, column: tile.lowerBound)
                try multiply(x[tokens], tile: tile, into: output, stride: rows)
                try withScratch(factor == nil ? 0 : tokens.count * tile.count) { factors in
                    if let factor, let first = factors.baseAddress {
                        try factor.multiply(
                            x[tokens], tile: tile, into: first, stride: tile.count)
                    }
                    for token in 0..<tokens.count {
                        let row = UnsafeMutableBufferPointer(
                            start: output + token * rows, count: tile.count)
                        activation.apply(to: row)
                        guard factor != nil else { continue }
                        let others = factors[token * tile.count..<(token + 1) * tile.count]
                        RowFunctions.multiply(row, by: UnsafeBufferPointer(rebasing: others))
                    }
                }
            }
        }
    }

    /// The same for a few tokens: both products as one piece of work.
    private func multiplyFew(
        _ x: Matrix, applying activation: DecoderDescription.Activation,
        times factor: LinearMatrix?, into result: Matrix, _ workers: Workers
    ) throws {
        let output = result.elements
        try withScratch(factor == nil ? 0 : output.count) { factors in
            let second = factor.map { [($0, factors)] } ?? []
            try LinearMatrix.multiply(x.elements, by: [(self, output)] + second, workers: workers)
            activation.apply(to: output)
            if factor != nil { RowFunctions.multiply(output, by: UnsafeBufferPointer(factors)) }
        }
    }
}

extension DecoderDescription.Activation {
    func apply(to x: UnsafeMutableBufferPointer<Float>) {
        switch self {
        case .silu: RowFunctions.silu(x)
        case .gelu: RowFunctions.gelu(x)
        case .geluTanh: RowFunctions.geluTanh(x)
        case .geluSigmoid: RowFunctions.geluSigmoid(x)
        case .relu: RowFunctions.relu(x)
        case .reluSquared: RowFunctions.reluSquared(x)
        }
    }
}
