import Architectures
import BlockFormats
import Calibration
import Inference
import Kernels
import ProgressReporting
import Quantization
import TensorIR

extension ConversionPlan {
    /// Whether a pass chooses this tensor's codes, rather than the reference encoder.
    func isQuantized(_ tensor: Tensor) -> Bool {
        guard let exported = tensor.exported, !tensor.isCopied, !tensor.isRegridded else {
            return false
        }
        return (exported.isLinear || exported.isEmbeddingOrOutput)
            && tensor.target.encoding.hasGrid
    }

    /// Rows of an output's tensor that one pass quantizes: matrices with the same inputs.
    struct Piece {
        let index: Int
        let tensor: LanguageModel.ExportedTensor
        /// Which of the tensor's pieces.
        let number: Int

        var roles: [TensorRole] { tensor.pieces[number].roles }
        var rows: Range<Int> { tensor.pieces[number].rows }
    }

    func pieces(of indices: [Int]) -> [Piece] {
        indices.flatMap { index in
            guard let tensor = tensors[index].exported else { return [Piece]() }
            return tensor.pieces.indices.map { Piece(index: index, tensor: tensor, number: $0) }
        }
    }

    /// What people call a piece: the tensor, with the expert's number where it holds many.
    func name(of piece: Piece) -> String {
        let name = tensors[piece.index].target.name
        guard piece.tensor.pieces.count > 1 else { return name }
        return "\(name) expert \(piece.number)"
    }

    func sum(
        _ reports: [QuantizationReport], of tensor: TensorDescriptor
    ) throws -> QuantizationReport {
        guard var sum = reports.first else {
            throw ModelError("tensor '\(tensor.name)' has no rows")
        }
        for report in reports.dropFirst() { sum.add(report) }
        return sum
    }

    /// Quantizes a piece some rows at a time, so that no more of it is ever decoded, and writes it.
    ///
    /// - Parameters:
    ///   - piece: what to quantize.
    ///   - output: where the bytes go.
    ///   - workers: the threads to work on.
    ///   - take: gets the bytes too, in the order of the rows.
    ///   - quantize: puts rows on their grid.
    /// - Returns: what it did to all rows together.
    /// - Throws: what reading and writing throw; what `quantize` throws, with the tensor's name.
    func quantizeRows(
        of piece: Piece, to output: PendingOutput, _ workers: Workers,
        take: ([UInt8]) -> Void = { _ in },
        _ quantize: (Matrix) throws(QuantizationError) -> QuantizedMatrix
    ) throws -> QuantizationReport {
        let target = tensors[piece.index].target
        let source = try LinearMatrix(tensors[piece.index].source)
        let length = max(Self.weightsAtOnce / max(target.columns, 1), 1)
        var reports: [QuantizationReport] = []
        for start in stride(from: piece.rows.lowerBound, to: piece.rows.upperBound, by: length) {
            let rows = start..<min(start + length, piece.rows.upperBound)
            let weights = Matrix(rows: rows.count, columns: target.columns)
            try workers.forEachRange(of: rows.count, length: 64) { part in
                let sourceRows = start + part.lowerBound..<start + part.upperBound
                try source.decode(sourceRows, into: weights.rows(part))
            }
            let result = try named(tensors[piece.index], firstRow: start) {
                () throws(QuantizationError) in try quantize(weights)
            }
            try result.bytes.withUnsafeBytes {
                try output.sink.write($0, tensor: piece.index, at: start * target.rowByteCount)
            }
            take(result.bytes)
            reports.append(result.report)
        }
        return try sum(reports, of: target)
    }

    /// 64 MiB of floats.
    private static let weightsAtOnce = 1 << 24

    // MARK: The embedding and the output

    /// Whether nothing is ever multiplied by the piece: an embedding that is not the output as well.
    func isLookedUpOnly(_ piece: Piece) -> Bool {
        piece.roles == [TensorRole(.tokenEmbedding)] && !isOutput(piece)
    }

    /// Whether the piece makes the logits.
    func isOutput(_ piece: Piece) -> Bool {
        if piece.roles == [TensorRole(.tokenEmbedding)] {
            return model?.isOutputTied(in: format.dialect) == true
        }
        return piece.roles == [TensorRole(.output)]
    }

    /// Under which role calibration speaks of a piece's inputs.
    func statisticsRole(of piece: Piece) -> TensorRole {
        isOutput(piece) ? TensorRole(.output) : piece.roles[0]
    }

    /// Under which roles calibration speaks of a tensor's inputs; under none where it is only looked up.
    func statisticsRoles(of tensor: Tensor) -> [TensorRole] {
        let roles = tensor.exported?.roles ?? []
        guard roles == [TensorRole(.tokenEmbedding)] else { return roles }
        return model?.isOutputTied(in: format.dialect) == true ? [TensorRole(.output)] : []
    }

    /// Column weights of every matrix: from the recipe's file, or gathered from its calibration text.
    func importanceByRole(
        _ workers: Workers, _ progress: some ProgressSink
    ) throws -> [TensorRole: [Float]] {
        guard let model else { return [:] }
        if let matrix = recipe.importance {
            var weights: [TensorRole: [Float]] = [:]
            for tensor in tensors where isQuantized(tensor) {
                for role in statisticsRoles(of: tensor) {
                    guard let name = model.importanceName(of: role) else { continue }
                    weights[role] = try named(tensor) { () throws(QuantizationError) in
                        try matrix.weights(
                            ofTensor: name, columns: tensor.target.columns,
                            matrix: role.expert ?? 0)
                    }
                }
            }
            return weights
        }
        guard !recipe.calibrationWindows.isEmpty else { return [:] }
        let collector = ImportanceCollector(weighting: recipe.tokenWeighting)
        try runCalibration(
            model, windows: recipe.calibrationWindows, layers: collector, output: collector,
            workers,
            progress, phase: "Calibrating")
        return collector.meanSquares
    }

    // MARK: Calibration

    func runCalibration(
        _ model: LanguageModel, windows: [[Int32]], layers: (any LinearInputObserver)?,
        output: (any LinearInputObserver)?, _ workers: Workers, _ progress: some ProgressSink,
        phase name: String
    ) throws {
        let batch = TokenBatch(windows)
        let decoder = try Decoder(
            model, positionCount: batch.sequenceLength, workers: workers, memory: activationMemory,
            precision: recipe.precision)
        let phase = Phase(name, unit: "layers")
        try progress.phase(phase, total: model.description.layerCount) {
            let hidden = try decoder.hiddenStates(of: batch, observer: layers) { _ in
                progress.advance(phase, by: 1)
            }
            if let output { try decoder.showOutputInput(of: hidden, batch: batch, to: output) }
        }
    }

    func named<Result>(
        _ tensor: Tensor, firstRow: Int = 0, _ body: () throws(QuantizationError) -> Result
    ) throws(TensorQuantizationError) -> Result {
        do {
            return try body()
        } catch {
            throw TensorQuantizationError(
                tensor: tensor.target.name, error: error.shifted(byRows: firstRow))
        }
    }
}

extension [Float] {
    /// Why errors in columns cannot be weighed by these numbers, if they cannot be.
    var obstacle: GPTQFallback? {
        guard allSatisfy(\.isFinite) else { return .hessianNotFinite }
        return allSatisfy { $0 == 0 } ? .noActivations : nil
    }

    var canWeigh: Bool { obstacle == nil }
}
