import Architectures
import ByteIO
import BlockFormats
import Inference
import Kernels
import TensorIR

/// Measures how far a model's predictions move when some of its matrices are replaced.
///
/// The reference runs along, one layer ahead of what is asked: matrices must be asked about in the order of
/// their layers, and only the layers from theirs on are run again.
final class DivergenceProbe {
    private let model: LanguageModel
    private let decoder: Decoder
    private let batch: TokenBatch
    private let workers: Workers
    /// Rows whose predictions are compared.
    private let rows: [Int]
    /// (rows, vocabularySize)
    private let reference: Matrix
    /// Of each of those rows.
    private let referenceLogSumExps: [Double]
    private let logits: Matrix
    /// The reference's residual stream after the last layer.
    private let final: Matrix
    /// The reference's residual stream before `layer`.
    private var (prefix, layer): (Matrix, Int)

    private static let windowLength = 256
    private static let windowCount = 4

    /// - Parameters:
    ///   - model: the reference.
    ///   - windows: calibration text, of which a little is taken.
    ///   - workers: the threads to compute on; results do not depend on them.
    /// - Throws: `ModelError` for a model whose predictions are not finite; what reading the weights throws.
    init(_ model: LanguageModel, windows: [[Int32]], workers: Workers) throws {
        let length = min(Self.windowLength, windows[0].count)
        // Windows from all over the text, which may change its kind on the way.
        let step = max(1, windows.count / Self.windowCount)
        let chosen = stride(from: 0, to: windows.count, by: step).prefix(Self.windowCount)
        batch = TokenBatch(chosen.map { Array(windows[$0].prefix(length)) })
        (self.model, self.workers) = (model, workers)
        decoder = try Decoder(model, positionCount: length, workers: workers)
        rows = (0..<batch.tokenCount).filter { $0 % length >= length / 2 }
        (prefix, layer) = (try decoder.embedded(batch), 0)
        final = prefix.copied()
        try decoder.advance(final, through: 0..<model.description.layerCount, of: batch)
        reference = Matrix(rows: rows.count, columns: model.description.vocabularySize)
        logits = Matrix(rows: rows.count, columns: model.description.vocabularySize)
        try decoder.logits(of: final, rows: rows, into: reference.elements)
        referenceLogSumExps = rows.indices.map { [reference] in
            RowFunctions.logSumExp(UnsafeBufferPointer(reference.row($0)))
        }
        guard referenceLogSumExps.allSatisfy(\.isFinite) else {
            throw ModelError(
                "the model's predictions on the calibration text are not finite numbers: its activations "
                    + "overflow, and what its matrices lose cannot be measured")
        }
    }

    /// The mean divergence in nats of the model with other weights from the model as it is.
    ///
    /// - Parameter matrices: by role; all of one layer, or one matrix outside of the layers.
    /// - Returns: the mean over the compared predictions.
    /// - Throws: what reading the weights throws.
    func divergence(with matrices: [TensorRole: Matrix]) throws -> Double {
        guard let role = matrices.keys.first, let matrix = matrices[role] else { return 0 }
        guard let first = role.layer else { return try divergence(with: matrix, as: role) }
        if first < layer { (prefix, layer) = (try decoder.embedded(batch), 0) }
        try decoder.advance(prefix, through: layer..<first, of: batch)
        layer = first
        let hidden = prefix.copied()
        try decoder.advance(
            hidden, through: first..<model.description.layerCount, of: batch,
            observer: Replacement(matrices: matrices))
        return try divergence(of: hidden, by: decoder)
    }

    /// The embedding changes what comes into the first layer, the output what comes out of the last.
    private func divergence(with matrix: Matrix, as role: TensorRole) throws -> Double {
        var model = model
        let isInTheModel = model.tensors[role] != nil
        let role = isInTheModel ? role : TensorRole(.tokenEmbedding)
        guard
            let descriptor = TensorDescriptor(
                name: role.module.rawValue, shape: [matrix.rows, matrix.columns],
                encoding: .scalar(.f32))
        else { throw ModelError("'\(role.module.rawValue)' is too large to be measured") }
        let bytes = [UInt8](UnsafeRawBufferPointer(matrix.elements))
        model = model.replacing(role, with: BufferedTensor(descriptor, bytes: bytes))
        let decoder = try Decoder(model, positionCount: batch.sequenceLength, workers: workers)
        let isInput = isInTheModel && role.module == .tokenEmbedding
        let hidden = isInput ? try decoder.hiddenStates(of: batch) : final
        return try divergence(of: hidden, by: decoder)
    }

    private func divergence(of hidden: Matrix, by decoder: Decoder) throws -> Double {
        try decoder.logits(of: hidden, rows: rows, into: logits.elements)
        let divergences = Matrix(rows: 1, columns: rows.count)
        let (logits, reference, logSumExps) = (logits, reference, referenceLogSumExps)
        workers.forEachRange(of: rows.count, length: 16) { range in
            for row in range {
                let (first, second) = (
                    UnsafeBufferPointer(reference.row(row)), UnsafeBufferPointer(logits.row(row))
                )
                divergences[0, row] = Float(
                    RowFunctions.divergence(
                        reference: first, logSumExp: logSumExps[row],
                        model: second, logSumExp: RowFunctions.logSumExp(second)))
            }
        }
        return divergences.elements.reduce(0.0) { $0 + Double($1) } / Double(rows.count)
    }
}

/// Puts other weights in place of some.
private struct Replacement: LinearInputObserver {
    let matrices: [TensorRole: Matrix]

    func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        var replacements: [TensorRole: LinearMatrix] = [:]
        for role in roles {
            guard let matrix = matrices[role] else { continue }
            replacements[role] = LinearMatrix(matrix, bias: decoder.bias(of: role))
        }
        return replacements
    }
}
