import Architectures
import Kernels
import TensorIR

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A mixture of experts in place of a feed-forward (Shazeer et al. 2017).
extension LayerPass {
    /// Each expert's tokens are gathered and multiplied together. Results are added in the experts' order.
    func addMixture(_ experts: DecoderDescription.Experts, of input: Matrix) throws {
        let result = try scratch(.result)
        result.elements.update(repeating: 0)
        let routing = Routing(scores: try scores(.router, input, count: experts.count), experts)
        for (expert, visits) in routing.visits.enumerated() {
            // An observer hears of experts without visits too: they are quantized all the same.
            guard !visits.isEmpty || observer != nil else { continue }
            let tokens = visits.map(\.token)
            let gathered = Matrix(rows: tokens.count, columns: input.columns)
            for (row, token) in tokens.enumerated() {
                _ = gathered.row(row).update(fromContentsOf: input.row(token))
            }
            try add(
                FeedForwardModules(isGated: description.isGated, expert: expert), of: gathered,
                visits: visits, to: result)
        }
        if experts.sharedFeedForwardSize != nil {
            let scores = try scores(.sharedRouter, input, count: 1)
            let visits = (0..<input.rows).map {
                Routing.Visit(token: $0, weight: 1 / (1 + exp(-scores[$0, 0])))
            }
            try add(.shared, of: input, visits: visits, to: result)
        }
        addResult(result, postNorm: .feedForwardPostNorm)
    }

    private func scores(
        _ module: TensorRole.Module, _ input: Matrix, count: Int
    ) throws -> Matrix {
        let role = TensorRole(module, layer: index)
        guard let matrix = layer.matrices[role] else { throw ModelError(missing: role) }
        let scores = Matrix(rows: input.rows, columns: count)
        try matrix.multiply(input.elements, into: scores.elements, workers: workers)
        return scores
    }

    /// Adds what one expert makes of some tokens, each times its weight, to their rows of `result`.
    private func add(
        _ modules: FeedForwardModules, of input: Matrix, visits: [Routing.Visit],
        to result: Matrix
    ) throws {
        let tokens = visits.map(\.token)
        let role = TensorRole(modules.down, layer: index, expert: modules.expert)
        let activated = Matrix(
            rows: input.rows, columns: description.shape(of: role).last ?? 0)
        try activate(modules, input, tokens: tokens, into: activated)
        let down = try matrices(
            [modules.down], expert: modules.expert, input: activated, tokens: tokens)[0]
        let output = Matrix(rows: input.rows, columns: down.rows)
        try down.multiply(activated.elements, into: output.elements, workers: workers)
        workers.forEachRange(of: visits.count, length: 256) { range in
            for row in range {
                let (x, added) = (result.row(visits[row].token), output.row(row))
                for index in x.indices { x[index] += visits[row].weight * added[index] }
            }
        }
    }
}

/// Which tokens visit which experts.
struct Routing {
    /// One token's visit to one expert.
    struct Visit {
        let token: Int
        /// What the expert's result is multiplied by.
        let weight: Float
    }

    /// For each expert, its tokens in ascending order.
    let visits: [[Visit]]

    /// - Parameters:
    ///   - scores: (tokens, experts), which become probabilities in place.
    ///   - experts: how many each token visits. Of experts with equal scores the first are taken.
    init(scores: Matrix, _ experts: DecoderDescription.Experts) {
        var visits = [[Visit]](repeating: [], count: scores.columns)
        for token in 0..<scores.rows {
            let row = scores.row(token)
            RowFunctions.softmax(row)
            // Sorting gives each expert one place, even if there are numbers that do not compare.
            let ranked = row.indices.sorted { (row[$0], $1) > (row[$1], $0) }
            let taken = ranked.prefix(experts.usedCount)
            let sum = experts.isNormalized ? taken.reduce(0) { $0 + row[$1] } : 1
            for expert in taken {
                visits[expert].append(Visit(token: token, weight: row[expert] / sum))
            }
        }
        self.visits = visits
    }
}
