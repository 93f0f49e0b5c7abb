import Architectures
import BlockFormats
import ByteIO
import Calibration
import Inference
import Kernels
import ProgressReporting
import Quantization
import TensorIR

extension SensitivityTable {
    /// Measures a model's sensitivities on the recipe's calibration text.
    ///
    /// Every matrix is rounded to nearest in every candidate, for the errors, and once more as a whole, for
    /// the divergence that it alone causes. The result does not depend on the number of threads.
    ///
    /// - Parameters:
    ///   - model: the model.
    ///   - recipe: with calibration text.
    ///   - candidates: encodings to try; those that no grid exists for, or that rows do not fit, are left out.
    ///   - progress: hears of each matrix.
    /// - Returns: an entry for every matrix that a GGUF of the model may hold quantized.
    /// - Throws: `ModelError`, `TensorQuantizationError`, and what reading the model throws.
    public static func measure(
        _ model: LanguageModel, recipe: Recipe, candidates: [Encoding] = Self.candidates,
        progress: some ProgressSink = SilentProgress()
    ) throws -> SensitivityTable {
        let workers = Workers(threadCount: recipe.threadCount)
        try model.checkWeights(workers)
        let collector = ImportanceCollector(weighting: recipe.tokenWeighting)
        let batch = TokenBatch(recipe.calibrationWindows)
        let decoder = try Decoder(model, positionCount: batch.sequenceLength, workers: workers)
        let calibrating = Phase("Calibrating", unit: "layers")
        try progress.phase(calibrating, total: model.description.layerCount) {
            let hidden = try decoder.hiddenStates(of: batch, observer: collector) { _ in
                progress.advance(calibrating, by: 1)
            }
            try decoder.showOutputInput(of: hidden, batch: batch, to: collector)
        }
        let measurement = SensitivityMeasurement(
            model: model, importance: collector.meanSquares.filter { $0.value.canWeigh },
            candidates: candidates, workers: workers)
        let probe = try DivergenceProbe(
            model, windows: recipe.calibrationWindows, workers: workers)
        let tensors = try model.exportedTensors(to: .gguf).filter(\.mayBeQuantized)
        var table = SensitivityTable(entries: [:])
        table.origin = Origin(
            modelDigest: try model.weightDigest(), textDigest: recipe.calibrationDigest)
        let phase = Phase("Measuring", unit: "matrices")
        try progress.phase(phase, total: tensors.count) {
            for tensor in tensors {
                table.entries[ExactString(tensor.source.descriptor.name)] =
                    try measurement.entry(for: tensor, probe: probe)
                progress.advance(phase, by: 1)
            }
        }
        // No divergence was seen where no token came, as in an expert that the text does not reach. That is
        // no licence to ruin it.
        let smallest = table.entries.values.map(\.divergencePerError).filter { $0 > 0 }.min()
        for (name, entry) in table.entries where entry.divergencePerError == 0 {
            table.entries[name] = Entry(
                weightCount: entry.weightCount, divergencePerError: smallest ?? 0,
                errors: entry.errors)
        }
        return table
    }

    /// The encodings that are tried where nothing else is said.
    public static let candidates: [Encoding] =
        [
            .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .q2_K, .iq3_xxs, .iq3_s, .q3_K, .iq4_xs,
            .q4_0, .iq4_nl, .q4_K, .q4_1, .q5_0, .q5_K, .q5_1, .q6_K, .q8_0,
        ].map(Encoding.block) + [.scalar(.f16)]

    /// A table for finding out what a budget allows, before anything is measured: no encoding loses anything.
    ///
    /// - Parameters:
    ///   - model: the model.
    ///   - candidates: encodings, of which those are left out that rows do not fit.
    /// - Returns: an entry for every matrix that a GGUF of the model may hold quantized.
    /// - Throws: `ModelError`.
    public static func unmeasured(
        _ model: LanguageModel, candidates: [Encoding]
    ) throws -> SensitivityTable {
        var table = SensitivityTable(entries: [:])
        for tensor in try model.exportedTensors(to: .gguf) where tensor.mayBeQuantized {
            let descriptor = tensor.source.descriptor
            let fitting = candidates.filter { $0.byteCount(ofRow: descriptor.columns) != nil }
            table.entries[ExactString(descriptor.name)] = Entry(
                weightCount: descriptor.count, divergencePerError: 0,
                errors: Dictionary(uniqueKeysWithValues: fitting.map { ($0, 0) }))
        }
        return table
    }
}

/// One matrix after the other.
private struct SensitivityMeasurement {
    let model: LanguageModel
    let importance: [TensorRole: [Float]]
    let candidates: [Encoding]
    let workers: Workers

    /// Rows of a tensor whose errors stand for all: a million weights are enough to tell encodings apart.
    private static let sampledWeightCount = 1 << 20
    /// A probe should be coarse enough to be seen, and fine enough that divergence is still proportional.
    private static let probeBitsPerWeight = 3.5

    func entry(
        for tensor: LanguageModel.ExportedTensor, probe: DivergenceProbe
    ) throws -> SensitivityTable.Entry {
        let descriptor = tensor.source.descriptor
        let samples = try samples(of: tensor)
        var errors: [Encoding: Double] = [:]
        for candidate in candidates {
            guard candidate.byteCount(ofRow: descriptor.columns) != nil else { continue }
            // Beside what blocks lose, the rounding of F16 is nothing.
            errors[candidate] =
                candidate == .scalar(.f16)
                ? 0 : try sampledError(of: tensor, samples, in: candidate)
        }
        let coarse = errors.keys.filter(\.hasGrid).min {
            func distance(_ encoding: Encoding) -> Double {
                (encoding.bitsPerWeight - Self.probeBitsPerWeight).magnitude
            }
            return (distance($0), $0.description) < (distance($1), $1.description)
        }
        var factor = 0.0
        if let coarse {
            let rounded = try rounded(tensor, to: coarse)
            let divergence = try probe.divergence(with: rounded.matrices)
            if rounded.error > 0 { factor = max(0, divergence) / rounded.error }
        }
        return SensitivityTable.Entry(
            weightCount: descriptor.count, divergencePerError: factor, errors: errors)
    }

    /// Some rows of a piece of a tensor.
    private struct Sample {
        let weights: Matrix
        /// What errors in the columns count.
        let columns: [Float]?
        /// Rows of the whole piece.
        let rowCount: Int
    }

    private func samples(of tensor: LanguageModel.ExportedTensor) throws -> [Sample] {
        let source = try LinearMatrix(tensor.source)
        let step = max(1, tensor.source.descriptor.count / Self.sampledWeightCount)
        return try tensor.pieces.map { piece in
            let rows = Array(
                stride(from: piece.rows.lowerBound, to: piece.rows.upperBound, by: step))
            let weights = Matrix(rows: rows.count, columns: source.columns)
            for (place, row) in rows.enumerated() {
                try source.decode(row..<row + 1, into: weights.row(place))
            }
            return Sample(
                weights: weights, columns: columnWeights(piece.roles[0]),
                rowCount: piece.rows.count)
        }
    }

    /// The weighted error of rounding, from some of the rows; nil where the encoding has no grid.
    private func sampledError(
        of tensor: LanguageModel.ExportedTensor, _ samples: [Sample], in encoding: Encoding
    ) throws -> Double? {
        var error = 0.0
        for sample in samples {
            guard
                let result = try round(
                    sample.weights, to: encoding, sample.columns, name: tensor)
            else { return nil }
            error +=
                result.weightedError * Double(sample.rowCount) / Double(max(1, sample.weights.rows))
        }
        return error
    }

    /// All of a tensor's matrices, rounded in the source's row order, and their weighted error.
    private func rounded(
        _ tensor: LanguageModel.ExportedTensor, to encoding: Encoding
    ) throws -> (matrices: [TensorRole: Matrix], error: Double) {
        var (matrices, error) = ([TensorRole: Matrix](), 0.0)
        for role in tensor.roles {
            guard let source = model.tensors[role] ?? model.tensors[TensorRole(.tokenEmbedding)]
            else { continue }
            let weights = try LinearMatrix(source).decoded(workers: workers)
            guard
                let result = try round(weights, to: encoding, columnWeights(role), name: tensor)
            else { continue }
            matrices[role] = result.decoded
            error += result.weightedError
        }
        return (matrices, error)
    }

    private func round(
        _ weights: Matrix, to encoding: Encoding, _ columns: [Float]?,
        name tensor: LanguageModel.ExportedTensor
    ) throws -> QuantizedMatrix? {
        do {
            return try RoundToNearest().quantize(
                weights, to: encoding, importance: columns, workers: workers)
        } catch .unsupportedEncoding {
            return nil
        } catch {
            throw TensorQuantizationError(tensor: tensor.source.descriptor.name, error: error)
        }
    }

    /// What errors in the columns count; nothing is known of an embedding that is only looked up.
    private func columnWeights(_ role: TensorRole) -> [Float]? {
        guard role == TensorRole(.tokenEmbedding) else { return importance[role] }
        return model.isOutputTied(in: .gguf) ? importance[TensorRole(.output)] : nil
    }
}

extension QuantizedMatrix {
    /// The squared error, by the weights of columns.
    fileprivate var weightedError: Double { report.relativeError * report.squaredOutput }
}
