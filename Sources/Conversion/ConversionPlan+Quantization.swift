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
    private func isQuantized(_ tensor: Tensor) -> Bool {
        guard tensor.exported?.isLinear == true, !tensor.isCopied else { return false }
        return LevelGrid(tensor.target.encoding) != nil
    }

    /// Rows of an output's tensor that one pass quantizes: matrices with the same inputs.
    private struct Piece {
        let index: Int
        let tensor: LanguageModel.ExportedTensor
        /// Which of the tensor's pieces.
        let number: Int

        var roles: [TensorRole] { tensor.pieces[number].roles }
        var rows: Range<Int> { tensor.pieces[number].rows }
    }

    private func pieces(of indices: [Int]) -> [Piece] {
        indices.flatMap { index in
            guard let tensor = tensors[index].exported else { return [Piece]() }
            return tensor.pieces.indices.map { Piece(index: index, tensor: tensor, number: $0) }
        }
    }

    /// What people call a piece: the tensor, with the expert's number where it holds many.
    private func name(of piece: Piece) -> String {
        let name = tensors[piece.index].target.name
        guard piece.tensor.pieces.count > 1 else { return name }
        return "\(name) expert \(piece.number)"
    }

    // MARK: Rounding to nearest

    func roundToNearest(
        to output: PendingOutput, _ summary: inout ConversionSummary, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws {
        let hasStatistics = recipe.importance != nil || !recipe.calibrationWindows.isEmpty
        let importance = try importanceByRole(workers, progress)
        let due = tensors.indices.filter { isQuantized(tensors[$0]) }
        try encode(tensors.indices.filter { !due.contains($0) }, to: output, workers, progress)
        let pass = RoundToNearest()
        let pieces = pieces(of: due)
        let phase = Phase("Rounding", unit: "matrices")
        try progress.phase(phase, total: pieces.count) {
            for piece in pieces {
                let tensor = tensors[piece.index]
                let rows = SlicedTensor(tensor.source, rows: piece.rows)
                let weights = try LinearMatrix(rows).decoded(workers: workers)
                let columnWeights = importance[piece.roles[0]]
                let result = try named(tensor) { () throws(QuantizationError) in
                    try pass.quantize(
                        weights, to: tensor.target.encoding, importance: columnWeights,
                        workers: workers)
                }
                var report = result.report
                if hasStatistics, columnWeights == nil { report.fallback = .noStatistics }
                try result.bytes.withUnsafeBytes {
                    try output.sink.write(
                        $0, tensor: piece.index,
                        at: piece.rows.lowerBound * tensor.target.rowByteCount)
                }
                summary.matrices.append(
                    ConversionSummary.Matrix(
                        name: name(of: piece), role: piece.roles[0], report: report))
                progress.advance(phase, by: 1)
            }
        }
    }

    /// Column weights of every matrix: from the recipe's file, or gathered from its calibration text.
    private func importanceByRole(
        _ workers: Workers, _ progress: some ProgressSink
    ) throws -> [TensorRole: [Float]] {
        guard let model else { return [:] }
        if let matrix = recipe.importance {
            var weights: [TensorRole: [Float]] = [:]
            for tensor in tensors where isQuantized(tensor) {
                for role in tensor.exported?.roles ?? [] {
                    guard let name = model.family.name(of: role, in: .gguf) else { continue }
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
        try runCalibration(model, observer: collector, workers, progress, phase: "Calibrating")
        return collector.meanSquares
    }

    // MARK: GPTQ

    func quantizeSequentially(
        to output: PendingOutput, _ summary: inout ConversionSummary, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws {
        guard let model, !recipe.calibrationWindows.isEmpty else {
            preconditionFailure("GPTQ needs a model and calibration text; the command checks both")
        }
        let due = tensors.indices.filter { isQuantized(tensors[$0]) }
        try encode(tensors.indices.filter { !due.contains($0) }, to: output, workers, progress)
        let pieces = pieces(of: due)
        let pieceByRole = Dictionary(
            uniqueKeysWithValues: pieces.indices.flatMap { index in
                pieces[index].roles.map { ($0, index) }
            })

        var reports: [TensorRole: QuantizationReport] = [:]
        let quantizer = SequentialQuantizer(weighting: recipe.tokenWeighting) { request in
            let hessian = Hessian(
                request.hessian, dampingFraction: recipe.dampingFraction, order: recipe.columnOrder)
            var replacements: [TensorRole: Matrix] = [:]
            for index in Set(request.roles.compactMap { pieceByRole[$0] }).sorted() {
                let piece = pieces[index]
                let encoding = tensors[piece.index].target.encoding
                let parts = try piece.roles.map { role -> any TensorSource in
                    guard let source = model.tensors[role] else {
                        throw ModelError("a tensor for '\(role.module.rawValue)' is missing")
                    }
                    let weights = try LinearMatrix(source).decoded(workers: workers)
                    let result = try named(tensors[piece.index]) {
                        () throws(QuantizationError) in
                        try recipe.gptq.quantize(
                            weights, to: encoding, hessian: hessian, workers: workers)
                    }
                    reports[role] = result.report
                    replacements[role] = result.decoded
                    return try result.tensor(named: source.descriptor)
                }
                try write(parts, as: piece, of: model, to: output)
            }
            return replacements
        }
        let prefix = try quantizedEmbedding(of: model, workers)
        try runCalibration(prefix, observer: quantizer, workers, progress, phase: "Quantizing")
        summary.matrices = pieces.flatMap { piece in
            piece.roles.compactMap { role in
                reports[role].map {
                    let part = piece.roles.count > 1 ? " (\(role.module.rawValue))" : ""
                    return ConversionSummary.Matrix(
                        name: name(of: piece) + part, role: role, report: $0)
                }
            }
        }
    }

    /// Writes matrices that were quantized in the source's row order.
    private func write(
        _ parts: [any TensorSource], as piece: Piece, of model: LanguageModel,
        to output: PendingOutput
    ) throws {
        let rows = try model.repacked(
            piece.tensor.pieces[piece.number], of: piece.tensor, parts: parts, for: format.dialect)
        try rows.withBytes(rows: 0..<rows.descriptor.rows) {
            try output.sink.write(
                $0, tensor: piece.index,
                at: piece.rows.lowerBound * tensors[piece.index].target.rowByteCount)
        }
    }

    /// The model with the embedding that the output will have, so that the layers make up for its
    /// rounding too.
    private func quantizedEmbedding(
        of model: LanguageModel, _ workers: Workers
    ) throws -> LanguageModel {
        let role = TensorRole(.tokenEmbedding)
        guard let tensor = tensors.first(where: { $0.exported?.roles == [role] }),
            !tensor.isCopied
        else { return model }
        let columns = tensor.target.columns
        let codec = try RowCodec(tensor.target.encoding, columns: columns)
        let source = try LinearMatrix(tensor.source)
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: tensor.target.byteCount, alignment: 64)
        defer { bytes.deallocate() }
        nonisolated(unsafe) let target = bytes
        try workers.forEachRange(of: tensor.target.rows, length: 256) { rows in
            let weights = Matrix(rows: rows.count, columns: columns)
            try source.decode(rows, into: weights.elements)
            let place = rows.lowerBound * codec.rowByteCount..<rows.upperBound * codec.rowByteCount
            codec.encode(
                UnsafeBufferPointer(weights.elements),
                into: UnsafeMutableRawBufferPointer(rebasing: target[place]))
        }
        return model.replacing(role, with: BufferedTensor(tensor.target, bytes: [UInt8](bytes)))
    }

    // MARK: Calibration

    private func runCalibration(
        _ model: LanguageModel, observer: any LinearInputObserver, _ workers: Workers,
        _ progress: some ProgressSink, phase name: String
    ) throws {
        let batch = TokenBatch(recipe.calibrationWindows)
        let decoder = try Decoder(
            model, positionCount: batch.sequenceLength, workers: workers)
        let phase = Phase(name, unit: "layers")
        try progress.phase(phase, total: model.description.layerCount) {
            _ = try decoder.hiddenStates(of: batch, observer: observer) { _ in
                progress.advance(phase, by: 1)
            }
        }
    }

    private func named<Result>(
        _ tensor: Tensor, _ body: () throws(QuantizationError) -> Result
    ) throws(TensorQuantizationError) -> Result {
        do {
            return try body()
        } catch {
            throw TensorQuantizationError(tensor: tensor.target.name, error: error)
        }
    }
}

extension QuantizedMatrix {
    /// The codes as a tensor with the name and shape of the matrix that they stand for.
    fileprivate func tensor(named source: TensorDescriptor) throws -> BufferedTensor {
        guard
            let descriptor = TensorDescriptor(
                name: source.name, shape: source.shape, encoding: encoding)
        else { throw ModelError("tensor '\(source.name)' cannot be held as \(encoding)") }
        return BufferedTensor(descriptor, bytes: bytes)
    }
}
