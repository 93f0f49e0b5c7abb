import Architectures
import BlockFormats
import Calibration
import Inference
import Kernels
import ProgressReporting
import Quantization
import TensorIR

extension ConversionPlan {
    func quantizeSequentially(
        to output: PendingOutput, _ summary: inout ConversionSummary, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws {
        guard let model, !recipe.calibrationWindows.isEmpty else {
            preconditionFailure("GPTQ needs a model and calibration text; the command checks both")
        }
        try LAPACK.checkInstalled()
        let windows =
            recipe.calibrationWindows
            + CalibrationWindows.random(
                recipe.decidedRandomWindowCount, like: recipe.calibrationWindows,
                vocabularySize: model.description.vocabularySize)
        let due = tensors.indices.filter { isQuantized(tensors[$0]) }
        try encode(tensors.indices.filter { !due.contains($0) }, to: output, workers, progress)
        let pieces = pieces(of: due)
        let pieceByRole = Dictionary(
            uniqueKeysWithValues: pieces.indices.flatMap { index in
                pieces[index].roles.map { ($0, index) }
            })

        var reports: [TensorRole: QuantizationReport] = [:]
        let driftMeter =
            recipe.compensatesDrift
            ? try DriftMeter(
                Decoder(
                    model, positionCount: windows[0].count, workers: workers,
                    memory: activationMemory, precision: recipe.precision),
                sequences: windows, comparedTokenCount: comparedTokenCount(model))
            : nil
        let quantizer = SequentialQuantizer(
            weighting: recipe.tokenWeighting, driftMeter: driftMeter
        ) { request in
            let (hessian, compensation) = prepared(request, recipe.dampingFraction, workers)
            var replacements: [TensorRole: Matrix] = [:]
            for index in Set(request.roles.compactMap { pieceByRole[$0] }).sorted() {
                let piece = pieces[index]
                let encoding = tensors[piece.index].target.encoding
                let parts = try piece.roles.map { role -> any TensorSource in
                    guard let source = model.tensors[role] else {
                        throw ModelError("a tensor for '\(role.module.rawValue)' is missing")
                    }
                    let original = try LinearMatrix(source).decoded(workers: workers)
                    let weights = compensation?.applied(to: original).weights ?? original
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
        var prefix = model
        let outer = pieces.filter { $0.roles[0].layer == nil }
        let head = outer.first { isOutput($0) && !isPreciseEmbedding($0) }
        for piece in outer where piece.index != head?.index {
            // Nothing is known of the inputs of what is looked up; the layers make up for it.
            var bytes: [UInt8] = []
            let target = tensors[piece.index].target
            reports[piece.roles[0]] = try quantizeRows(
                of: piece, to: output, workers, take: { bytes += $0 }
            ) { rows throws(QuantizationError) in
                try RoundToNearest().quantize(rows, to: target.encoding, workers: workers)
            }
            prefix = prefix.replacing(piece.roles[0], with: BufferedTensor(target, bytes: bytes))
        }
        var headBytes: [UInt8] = []
        let headQuantizer = head.map { piece in
            // A tied embedding comes before anything has drifted.
            let isEmbedding = piece.roles[0].module == .tokenEmbedding
            return SequentialQuantizer(
                weighting: recipe.tokenWeighting, driftMeter: isEmbedding ? nil : driftMeter
            ) { request in
                let damping =
                    isEmbedding
                    ? max(Self.embeddingDamping, recipe.dampingFraction) : recipe.dampingFraction
                let (hessian, compensation) = prepared(request, damping, workers)
                let encoding = tensors[piece.index].target.encoding
                reports[piece.roles[0]] = try quantizeRows(
                    of: piece, to: output, workers, take: { if isEmbedding { headBytes += $0 } }
                ) { rows throws(QuantizationError) in
                    try recipe.gptq.quantize(
                        compensation?.applied(to: rows).weights ?? rows, to: encoding,
                        hessian: hessian, workers: workers)
                }
                return [:]
            }
        }
        if let head, head.roles[0].module == .tokenEmbedding {
            // An embedding that doubles as the output comes first, on what the whole model makes of the
            // text, so that the layers make up for its rounding too.
            try runCalibration(
                prefix, windows: windows, layers: nil, output: headQuantizer, workers, progress,
                phase: "Calibrating")
            prefix = prefix.replacing(
                head.roles[0], with: BufferedTensor(tensors[head.index].target, bytes: headBytes))
            try runCalibration(
                prefix, windows: windows, layers: quantizer, output: nil, workers, progress,
                phase: "Quantizing")
        } else {
            try runCalibration(
                prefix, windows: windows, layers: quantizer, output: headQuantizer, workers,
                progress,
                phase: "Quantizing")
        }
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

    /// A request's statistics, factored once for all of its matrices.
    private func prepared(
        _ request: SequentialQuantizer.Request, _ dampingFraction: Float, _ workers: Workers
    ) -> (Hessian, DriftCompensation?) {
        let hessian = Hessian(
            request.hessian, dampingFraction: dampingFraction, order: recipe.columnOrder)
        return (
            hessian,
            request.drift.map { DriftCompensation($0, hessian: hessian, workers: workers) }
        )
    }

    /// Tokens on which a model is compared with what it was, at most.
    ///
    /// Comparing a token costs more than half of all else that is done with it, and a third of a hundred
    /// windows of 512 does nearly as well as all. Where layers are small, all may be compared.
    private func comparedTokenCount(_ model: LanguageModel) -> Int {
        let weightsPerLayer = model.tensors.reduce(0) { sum, tensor in
            let shape = tensor.value.descriptor
            return tensor.key.layer == 0 ? sum + shape.rows * shape.columns : sum
        }
        return max(20480, 80_000_000_000 / max(1, weightsPerLayer))
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

    /// Whether it is an embedding, doubling as the output or not, of eight bits or more: what error feedback
    /// could win there is not worth another pass over the text.
    private func isPreciseEmbedding(_ piece: Piece) -> Bool {
        piece.roles[0].module == .tokenEmbedding
            && tensors[piece.index].target.encoding.bitsPerWeight >= 8
    }

    /// Damping of an embedding that doubles as the output. What is looked up enters the first layer as it
    /// is, in every direction alike, and that is what a multiple of the identity stands for.
    private static let embeddingDamping: Float = 0.1
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
