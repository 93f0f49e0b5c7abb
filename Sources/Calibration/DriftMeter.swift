import Architectures
import Inference
import Kernels
import Quantization

/// Runs the model as it was beside the one that is being quantized, and compares the inputs of their layers.
///
/// The model as it was goes half a layer ahead, some sequences at a time. What is kept of it are the inputs
/// of that half's matrices, until they are due.
package final class DriftMeter {
    private let walks: [DecoderWalk]
    /// For each walk, what its matrices multiplied, by the first of the roles that share it.
    private var kept: [[TensorRole: Kept]]

    private struct Kept {
        let values: Matrix
        let stream: Matrix?
    }

    /// Sequences that take their half layer together.
    private static let sequencesPerWalk = 2

    /// - Parameters:
    ///   - decoder: the model as it was.
    ///   - sequences: the calibration text, or as much of its beginning as is to be compared.
    /// - Throws: `ModelError` for a token or a position that the model does not have.
    package init(_ decoder: Decoder, sequences: [[Int32]]) throws {
        var scratches: [Int: LayerScratch] = [:]
        walks = try stride(from: 0, to: sequences.count, by: Self.sequencesPerWalk).map { start in
            let batch = TokenBatch(Array(sequences[start...].prefix(Self.sequencesPerWalk)))
            let scratch =
                scratches[batch.tokenCount]
                ?? LayerScratch(tokenCount: batch.tokenCount, description: decoder.description)
            scratches[batch.tokenCount] = scratch
            return try decoder.walk(of: batch, scratch: scratch)
        }
        kept = walks.map { _ in [:] }
    }

    /// How far the inputs of some matrices have drifted.
    ///
    /// - Parameters:
    ///   - roles: matrices with one input; due in the order of the forward pass.
    ///   - input: what they multiply now.
    ///   - weights: of the tokens.
    ///   - workers: the threads to sum on; the result does not depend on them.
    /// - Returns: nil for an expert's matrices: the tokens that visit it may have been others.
    /// - Throws: what reading the model's weights throws.
    func drift(
        of roles: [TensorRole], input: LinearInput, weights: [Float], workers: Workers
    ) throws -> InputDrift? {
        guard let role = roles.first, role.expert == nil else { return nil }
        func zeros(_ rows: Int) -> Matrix { Matrix(rows: rows, columns: input.columns) }
        let halves = (0..<2).map { _ in
            InputDrift.Half(
                hessian: zeros(input.columns), inputs: zeros(input.columns),
                stream: input.stream.map { zeros($0.columns) })
        }
        let tokenCount = walks.reduce(0) { $0 + $1.batch.tokenCount }
        var start = 0
        for (index, walk) in walks.enumerated() {
            let rows = start..<start + walk.batch.tokenCount
            start = rows.upperBound
            guard let was = try keptInput(of: role, walk: index) else { return nil }
            let now = UnsafeMutableBufferPointer(
                rebasing: input.values[
                    rows.lowerBound * input.columns..<rows.upperBound * input.columns])
            let rowWeights = weights[rows].map { $0 / Float(tokenCount) }
            let half = halves[index % 2]
            accumulateGram(
                of: UnsafeBufferPointer(now), factors: rowWeights.map { $0.squareRoot() },
                into: half.hessian, workers: workers)
            InputStatistics.addDrift(
                from: was.values, to: now, with: now, weights: rowWeights, into: half.inputs,
                workers)
            if let stream = half.stream, let before = was.stream,
                let after = input.stream?.rows(rows)
            {
                InputStatistics.addDrift(
                    from: before, to: after, with: now, weights: rowWeights, into: stream, workers)
            }
        }
        for half in halves { mirrorGram(half.hessian) }
        return InputDrift(halves: halves)
    }

    /// What a matrix multiplied in the model as it was; given out once.
    private func keptInput(of role: TensorRole, walk index: Int) throws -> Kept? {
        let walk = walks[index]
        guard let layer = role.layer else {
            return Kept(values: try walk.outputInput(), stream: nil)
        }
        if kept[index][role] == nil {
            let recorder = Recorder()
            try walk.advance(
                through: role.module.isAttention ? .attention : .feedForward, ofLayer: layer,
                observer: recorder)
            kept[index] = kept[index].filter { $0.key.layer == layer }
                .merging(recorder.inputs) { $1 }
        }
        return kept[index].removeValue(forKey: role)
    }

    private final class Recorder: LinearInputObserver {
        var inputs: [TensorRole: Kept] = [:]

        func replacements(
            for roles: [TensorRole], input: LinearInput, decoder: Decoder
        ) throws -> [TensorRole: LinearMatrix] {
            guard roles[0].expert == nil else { return [:] }
            inputs[roles[0]] = Kept(
                values: Matrix(
                    rows: input.tokens.count, columns: input.columns, input.values),
                stream: input.stream?.copied())
            return [:]
        }
    }
}

extension TensorRole.Module {
    fileprivate var isAttention: Bool {
        [.query, .key, .value, .attentionOutput].contains(self)
    }
}
