import Architectures
import Inference
import Kernels
import Quantization
import TensorIR
import Transforms

/// Searches AWQ's scales for every fold of a model while calibration text runs through it.
///
/// The model stays as it is: inputs are those of the original weights, as in the paper. The experts of a
/// mixture share the norm before them and so its scales; they are judged on the inputs of all of them
/// together.
package final class ChannelScaleSearch: LinearInputObserver {
    /// What became of one fold.
    package struct Report: Sendable, Hashable {
        package let place: ChannelFold.Place
        package let layer: Int
        package let expert: Int?
        /// α in s = m^α.
        package let exponent: Float
        /// What rounding to nearest does to the targets' outputs, as a part of their squares.
        package let relativeErrorUnscaled: Double
        package let relativeError: Double
    }

    /// A place that kept its scales, and why.
    package struct Omission: Sendable, Hashable {
        package let place: ChannelFold.Place
        package let layer: Int
        package let expert: Int?
        package let reason: String
    }

    package private(set) var scaling = ChannelScaling()
    package private(set) var reports: [Report] = []
    package private(set) var omissions: [Omission] = []

    private let model: LanguageModel
    private let awq: AWQ
    private let encoding: (TensorRole) -> Encoding?
    private let tokenWeights: LayerTokenWeights
    /// The folds of the model that are still to be searched, by the matrices that read them.
    private var foldByTarget: [TensorRole: ChannelFold] = [:]
    private var statistics: [ChannelFold: ChannelStatistics] = [:]

    /// - Parameters:
    ///   - model: whose channels are scaled; the decoder that is observed runs it.
    ///   - awq: how scales are searched.
    ///   - weighting: what each token counts.
    ///   - encoding: what a matrix will be rounded to; nil for one that will not be.
    package init(
        _ model: LanguageModel, awq: AWQ = AWQ(), weighting: TokenWeighting,
        encoding: @escaping (TensorRole) -> Encoding?
    ) {
        (self.model, self.awq, self.encoding) = (model, awq, encoding)
        tokenWeights = LayerTokenWeights(weighting)
        for layer in model.description.layers.indices {
            let (folds, obstacles) = ChannelFold.folds(of: model.description, layer: layer)
            omissions += obstacles.map {
                Omission(place: $0.place, layer: layer, expert: nil, reason: $0.reason)
            }
            for fold in folds {
                for target in fold.targets { foldByTarget[target] = fold }
            }
        }
    }

    package func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        // Always asked, for the weights of a layer's tokens are made where its queries are due.
        let weights = try tokenWeights.weights(for: roles, input: input, decoder: decoder)
        guard let fold = roles.lazy.compactMap({ self.foldByTarget[$0] }).first else { return [:] }
        let statistics = statistics[fold] ?? ChannelStatistics()
        statistics.add(input, weights: weights, workers: decoder.workers)
        self.statistics[fold] = statistics
        // All matrices of a fold see the same inputs, but for experts, each of which sees its own.
        let expertsLeft = fold.targets.contains {
            ($0.expert ?? -1) > (roles.first?.expert ?? .max)
        }
        guard !expertsLeft else { return [:] }
        self.statistics[fold] = nil
        for target in fold.targets { foldByTarget[target] = nil }
        try search(fold, statistics, workers: decoder.workers)
        return [:]
    }

    private func search(
        _ fold: ChannelFold, _ statistics: ChannelStatistics, workers: Workers
    ) throws {
        func omit(_ reason: String) {
            omissions.append(
                Omission(
                    place: fold.place, layer: fold.layer, expert: fold.expert, reason: reason))
        }
        let targets = try fold.targets.compactMap { role in
            try encoding(role).map { AWQ.Target(weights: try judgedRows(of: role), encoding: $0) }
        }
        guard !targets.isEmpty else { return omit("none of its matrices is rounded") }
        do throws(QuantizationError) {
            guard
                let choice = try awq.search(
                    fold, statistics: statistics, targets: targets, workers: workers)
            else {
                let obstacle: GPTQFallback =
                    statistics.isFinite ? .noActivations : .hessianNotFinite
                return omit(obstacle.description)
            }
            scaling.add(choice.scales, at: fold)
            reports.append(
                Report(
                    place: fold.place, layer: fold.layer, expert: fold.expert,
                    exponent: choice.exponent,
                    relativeErrorUnscaled: choice.relativeErrorUnscaled,
                    relativeError: choice.relativeError))
        } catch {
            // The pass that rounds the matrix will name it.
            omit("\(error)")
        }
    }

    /// Rows of a matrix, evenly spread, decoded.
    private func judgedRows(of role: TensorRole) throws -> Matrix {
        guard let source = model.tensors[role] else {
            throw ModelError("a tensor for '\(role.module.rawValue)' is missing")
        }
        let matrix = try LinearMatrix(source)
        let count = min(matrix.rows, awq.judgedRowCount)
        let judged = Matrix(rows: count, columns: matrix.columns)
        for index in 0..<count {
            let row = index * matrix.rows / count
            try matrix.decode(row..<row + 1, into: judged.row(index))
        }
        return judged
    }
}
