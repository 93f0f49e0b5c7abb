import Architectures
import Inference
import Kernels
import Quantization

/// Runs the model as it was beside the one that is being quantized, and compares the inputs of their layers.
///
/// The model as it was goes half a layer ahead, some sequences at a time. Where a matrix's result is added to
/// the residual stream, that stream is all that is looked at; otherwise, inputs are kept until they are due.
package final class DriftMeter {
    private let original: Decoder
    /// The sequences in order, some at a time; those that are compared have a walk.
    private let groups: [(tokenCount: Int, walk: Int?)]
    private let walks: [DecoderWalk]
    /// For each walk, what its matrices multiplied, by the first of the roles that share it.
    private var kept: [[TensorRole: Matrix]]
    /// What was kept before, to be written over.
    private var spare: [Matrix] = []

    /// Sequences that take their half layer together. With more of them products are larger, but halves of the
    /// walks stand less well for the text, and more is lost at two bits.
    private static let sequencesPerWalk = 2

    /// - Parameters:
    ///   - decoder: the model as it was.
    ///   - sequences: the calibration text.
    ///   - comparedTokenCount: how many of its tokens may be compared; taken from all over the text.
    /// - Throws: `ModelError` for a token or a position that the model does not have.
    package init(
        _ decoder: Decoder, sequences: [[Int32]], comparedTokenCount: Int = .max
    ) throws {
        original = decoder
        let tokenCount = sequences.reduce(0) { $0 + $1.count }
        let interval = (tokenCount - 1) / max(comparedTokenCount, 1) + 1
        var scratches: [Int: LayerScratch] = [:]
        var walks: [DecoderWalk] = []
        let perWalk = Self.sequencesPerWalk
        groups = try (0..<sequences.count).cut(by: perWalk).map { range in
            let batch = TokenBatch(Array(sequences[range]))
            guard (range.lowerBound / perWalk).isMultiple(of: interval) else {
                return (batch.tokenCount, nil)
            }
            let scratch =
                scratches[batch.tokenCount]
                ?? LayerScratch(tokenCount: batch.tokenCount, description: decoder.description)
            scratches[batch.tokenCount] = scratch
            walks.append(try decoder.walk(of: batch, scratch: scratch))
            return (batch.tokenCount, walks.count - 1)
        }
        self.walks = walks
        kept = walks.map { _ in [:] }
    }

    /// How far the inputs of some matrices have drifted.
    ///
    /// - Parameters:
    ///   - roles: matrices with one input; due in the order of the forward pass.
    ///   - input: what they multiply now, of all tokens.
    ///   - weights: of the tokens.
    ///   - workers: the threads to sum on; the result does not depend on them.
    /// - Returns: nil for an expert's matrices: the tokens that visit it may have been others.
    /// - Throws: what reading the model's weights throws.
    func drift(
        of roles: [TensorRole], input: LinearInput, weights: [Float], workers: Workers
    ) throws -> InputDrift? {
        guard let role = roles.first, role.expert == nil else { return nil }
        let (columns, width) = (input.columns, input.stream?.columns ?? input.columns)
        let halves = (0..<2).map { _ in
            let sum = Matrix(rows: width, columns: columns)
            return InputDrift.Half(
                hessian: Matrix(rows: columns, columns: columns),
                change: input.stream == nil ? .ofInputs(sum) : .ofStream(sum))
        }
        let rest = Matrix(rows: columns, columns: columns)
        let comparedCount = walks.reduce(0) { $0 + $1.batch.tokenCount }
        let precision = original.weights.precision
        let panels = GramPanels(columns: columns, isRounded: precision == .bf16)
        let changes = Matrix(rows: groups.map(\.tokenCount).max() ?? 0, columns: width)
        var start = 0
        for group in groups {
            let rows = start..<start + group.tokenCount
            start = rows.upperBound
            let half = group.walk.map { halves[$0 % 2] }
            let count = Float(half == nil ? weights.count : comparedCount)
            let rowWeights = weights[rows].map { $0 / count }
            let now = UnsafeMutableBufferPointer(
                rebasing: input.values[rows.lowerBound * columns..<rows.upperBound * columns])
            accumulateGram(
                of: UnsafeBufferPointer(now), factors: rowWeights.map { $0.squareRoot() },
                into: half?.hessian ?? rest, panels: panels, workers: workers)
            guard let half, let index = group.walk else { continue }
            try advance(walk: index, to: role)
            guard
                let before = try input.stream.map({ _ in walks[index].hidden })
                    ?? keptInput(of: role, walk: index)
            else { return nil }
            InputStatistics.difference(
                of: before, and: input.stream?.rows(rows) ?? now,
                minus: input.stream.flatMap { _ in original.bias(of: role) },
                weights: rowWeights, into: changes, workers)
            InputStatistics.addProducts(
                of: changes.rows(0..<rows.count), and: now, to: half.change.sum,
                precision: precision, workers)
            if input.stream == nil { spare.append(before) }
        }
        for matrix in halves.map(\.hessian) + [rest] { mirrorGram(matrix, workers: workers) }
        let share = Float(comparedCount) / Float(weights.count)
        for index in rest.elements.indices {
            rest.elements[index] +=
                share * (halves[0].hessian.elements[index] + halves[1].hessian.elements[index])
        }
        return InputDrift(halves: halves, hessian: rest)
    }

    /// Lets the model as it was pass the half layer that a matrix belongs to.
    private func advance(walk index: Int, to role: TensorRole) throws {
        guard let layer = role.layer else { return }
        let recorder = Recorder(spare)
        try walks[index].advance(
            through: role.module.isAttention ? .attention : .feedForward, ofLayer: layer,
            observer: recorder)
        kept[index].merge(recorder.inputs) { $1 }
        spare = recorder.spare
    }

    /// What a matrix multiplied in the model as it was; given out once.
    private func keptInput(of role: TensorRole, walk index: Int) throws -> Matrix? {
        role.layer == nil ? try walks[index].outputInput() : kept[index].removeValue(forKey: role)
    }

    private final class Recorder: LinearInputObserver {
        private(set) var inputs: [TensorRole: Matrix] = [:]
        private(set) var spare: [Matrix]

        init(_ spare: [Matrix]) { self.spare = spare }

        func replacements(
            for roles: [TensorRole], input: LinearInput, decoder: Decoder
        ) throws -> [TensorRole: LinearMatrix] {
            if roles[0].expert == nil, input.stream == nil {
                let (rows, columns) = (input.tokens.count, input.columns)
                let place = spare.firstIndex { ($0.rows, $0.columns) == (rows, columns) }
                let copy =
                    try place.map { spare.remove(at: $0) }
                    ?? decoder.memory.matrix(rows: rows, columns: columns)
                _ = copy.elements.update(fromContentsOf: input.values)
                inputs[roles[0]] = copy
            }
            return [:]
        }
    }
}

extension TensorRole.Module {
    fileprivate var isAttention: Bool {
        [.query, .key, .value, .attentionOutput].contains(self)
    }
}
