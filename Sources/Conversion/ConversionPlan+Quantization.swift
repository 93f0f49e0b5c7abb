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
        guard tensor.role?.module.isLinear == true, tensor.role?.parameter == .weight else {
            return false
        }
        return LevelGrid(tensor.target.encoding) != nil && !tensor.isCopied
    }

    // MARK: Rounding to nearest

    func roundToNearest(
        to output: PendingOutput, _ summary: inout ConversionSummary, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws {
        let importance = try importanceByRole(workers, progress)
        let due = tensors.indices.filter { isQuantized(tensors[$0]) }
        try encode(tensors.indices.filter { !due.contains($0) }, to: output, workers, progress)
        let pass = RoundToNearest()
        let phase = Phase("Rounding", unit: "matrices")
        try progress.phase(phase, total: due.count) {
            for index in due {
                let tensor = tensors[index]
                let weights = try LinearMatrix(tensor.source).decoded(workers: workers)
                let result = try named(tensor) { () throws(QuantizationError) in
                    try pass.quantize(
                        weights, to: tensor.target.encoding,
                        importance: tensor.role.flatMap { importance[$0] }, workers: workers)
                }
                try result.bytes.withUnsafeBytes {
                    try output.sink.write($0, tensor: index, at: 0)
                }
                summary.matrices.append(
                    ConversionSummary.Matrix(name: tensor.target.name, report: result.report))
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
                guard let role = tensor.role, let name = model.family.name(of: role, in: .gguf)
                else { continue }
                weights[role] = try named(tensor) { () throws(QuantizationError) in
                    try matrix.weights(ofTensor: name, columns: tensor.target.columns)
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
        let indexByRole = Dictionary(
            uniqueKeysWithValues: tensors.indices.compactMap { index in
                tensors[index].role.map { ($0, index) }
            })
        let due = tensors.indices.filter { isQuantized(tensors[$0]) }
        try encode(tensors.indices.filter { !due.contains($0) }, to: output, workers, progress)

        var reports: [Int: QuantizationReport] = [:]
        let quantizer = SequentialQuantizer(weighting: recipe.tokenWeighting) { request in
            let hessian = Hessian(
                request.hessian, dampingFraction: recipe.dampingFraction, order: recipe.columnOrder)
            var replacements: [TensorRole.Module: Matrix] = [:]
            for module in request.modules {
                let role = TensorRole(module, layer: request.layer)
                guard let index = indexByRole[role], isQuantized(tensors[index]),
                    let source = model.tensors[role]
                else { continue }
                let tensor = tensors[index]
                let weights = try LinearMatrix(source).decoded(workers: workers)
                let result = try named(tensor) { () throws(QuantizationError) in
                    try recipe.gptq.quantize(
                        weights, to: tensor.target.encoding, hessian: hessian, workers: workers)
                }
                try write(result, of: role, index: index, model: model, to: output)
                reports[index] = result.report
                replacements[module] = result.decoded
            }
            return replacements
        }
        let prefix = try quantizedEmbedding(of: model, workers)
        try runCalibration(prefix, observer: quantizer, workers, progress, phase: "Quantizing")
        summary.matrices = due.compactMap { index in
            reports[index].map {
                ConversionSummary.Matrix(name: tensors[index].target.name, report: $0)
            }
        }
    }

    /// Writes a matrix that was quantized in the source's row order.
    private func write(
        _ result: QuantizedMatrix, of role: TensorRole, index: Int, model: LanguageModel,
        to output: PendingOutput
    ) throws {
        let descriptor = tensors[index].target
        let ordered = try model.reordered(
            BufferedTensor(descriptor, bytes: result.bytes), role: role, for: format.dialect)
        try ordered.withBytes(rows: 0..<descriptor.rows) {
            try output.sink.write($0, tensor: index, at: 0)
        }
    }

    /// The model with the embedding that the output will have, so that the layers make up for its
    /// rounding too.
    private func quantizedEmbedding(
        of model: LanguageModel, _ workers: Workers
    ) throws -> LanguageModel {
        let role = TensorRole(.tokenEmbedding)
        guard let tensor = tensors.first(where: { $0.role == role }), !tensor.isCopied else {
            return model
        }
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
