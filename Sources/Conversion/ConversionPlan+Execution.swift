import Architectures
import BlockFormats
import ByteIO
import Calibration
import DTZFormat
import GGUFFormat
import Inference
import Kernels
import ProgressReporting
import Quantization
import SafetensorsFormat
import Synchronization
import TensorIR

/// What a conversion did.
public struct ConversionSummary: Sendable {
    /// One matrix that a pass put on a grid.
    public struct Matrix: Sendable {
        public let name: String
        public let role: TensorRole
        public let report: QuantizationReport

        /// Whether it is an expert's, and no calibration token came to that expert.
        var isUnreached: Bool {
            role.expert != nil
                && [.noActivations, .noStatistics].contains(report.fallback)
        }
    }

    /// An expert that the calibration text says nothing about; its matrices were rounded to nearest.
    public struct UnreachedExpert: Sendable, Hashable {
        public let layer: Int
        public let expert: Int
    }

    /// Bytes of the files written.
    public internal(set) var byteCount = 0
    public internal(set) var matrices: [Matrix] = []
    /// The channels that AWQ scaled, and those that it could not.
    public internal(set) var channelScales = ChannelScales()
    /// By layer and expert.
    public var unreachedExperts: [UnreachedExpert] {
        let experts = matrices.filter(\.isUnreached).map {
            UnreachedExpert(layer: $0.role.layer ?? 0, expert: $0.role.expert ?? 0)
        }
        return Set(experts).sorted { ($0.layer, $0.expert) < ($1.layer, $1.expert) }
    }

    /// What a strict recipe refuses, for people.
    var gaps: [String] {
        fallbacks
            + unreachedExperts.map {
                "layer \($0.layer): no calibration token reached expert \($0.expert)"
            }
    }

    /// Other matrices that GPTQ had to leave to rounding, each with the reason.
    public var fallbacks: [String] {
        matrices.filter { !$0.isUnreached }.compactMap { matrix in
            matrix.report.fallback.map { "\(matrix.name): rounded to nearest, \($0)" }
        }
    }
}

extension ConversionPlan {
    /// Carries the plan out. The output appears under its name when it is complete, or not at all.
    ///
    /// At the end the tokenizer is read back and encodes some texts as the model's own does, or the
    /// output does not appear.
    ///
    /// - Throws: what reading, quantizing and writing throw; nothing is left under the output's name then.
    public func execute(
        progress: some ProgressSink = SilentProgress()
    ) throws -> ConversionSummary {
        let makesFolder = format == .folder && !FileSystem.exists(outputPath)
        do {
            return try carryOut(progress)
        } catch {
            if makesFolder, FileSystem.exists(outputPath) {
                try FileSystem.removeEmptyFolder(outputPath)
            }
            throw error
        }
    }

    private func carryOut(_ progress: some ProgressSink) throws -> ConversionSummary {
        if model == nil, isCompressed { return try compress(progress) }
        try checkEncoders()
        let workers = Workers(threadCount: recipe.threadCount)
        var summary = ConversionSummary()
        // Beside short work, but before work that may take hours.
        let isLong = recipe.method == .gptq || recipe.scalesChannels
        // What takes one thread need not keep the others waiting.
        let header = Handover<PendingOutput>()
        let output = try workers.run {
            defer { header.close() }
            // What a rotation would spread over rows was looked for before it.
            if recipe.method != .encode, recipe.rotationSeed == nil { try checkWeights(workers) }
            let output = try PendingOutput(self)
            header.offer(output)
            if isLong { try checkTokenizer(of: output) }
            let plan =
                recipe.scalesChannels ? try scalingChannels(&summary, workers, progress) : self
            switch recipe.method {
            case .encode: try plan.encode(tensors.indices, to: output, workers, progress)
            case .rtn: try plan.roundToNearest(to: output, &summary, workers, progress)
            case .gptq: try plan.quantizeSequentially(to: output, &summary, workers, progress)
            }
            return output
        } beside: {
            let source = isLong || keepsTokenizer ? nil : try sourceTokenizer()
            guard let output = header.take() else { return }
            if !isLong { try checkTokenizer(of: output, source: source) }
            if let digest = recipe.sourceDigest { try state(digest.value(), in: output) }
        }
        try checkGaps(summary.gaps)
        try output.finish(recipe, progress: progress)
        summary.byteCount = output.paths.reduce(0) { $0 + (FileSystem.byteCount($1) ?? 0) }
        return summary
    }

    /// Puts the digest of the source where the output's metadata keep a place for it.
    private func state(_ digest: String, in output: PendingOutput) throws {
        guard let writer = output.sink as? GGUFWriter else { return }
        var metadata = metadata
        metadata[Provenance.sourceDigestKey] = .string(digest)
        try writer.replaceMetadata(metadata)
    }

    /// Puts the files as they are into a DTZ file.
    private func compress(_ progress: some ProgressSink) throws -> ConversionSummary {
        try DTZWriter.write(
            OriginalFiles.adding(to: input), to: outputPath, options: recipe.dtzOptions,
            progress: progress)
        var summary = ConversionSummary()
        summary.byteCount = FileSystem.byteCount(outputPath) ?? 0
        return summary
    }

    /// Copies tensors that are stored in pieces, one piece of any tensor after the other.
    private func copyPieces(
        to output: PendingOutput, _ workers: Workers, _ progress: some ProgressSink
    ) throws {
        let pieces = tensors.enumerated().flatMap { index, tensor in
            let count = (tensor.source as? any PiecewiseTensor)?.pieceCount ?? 0
            return (0..<count).map { (tensor: index, piece: $0) }
        }
        let phase = Phase("Writing", unit: "bytes")
        try progress.phase(phase, total: tensorByteCount) {
            try workers.forEach(pieces.count) { number in
                let (index, piece) = pieces[number]
                guard let source = tensors[index].source as? any PiecewiseTensor else { return }
                try source.withPiece(piece) { bytes, offset in
                    try output.sink.write(bytes, tensor: index, at: offset)
                    progress.advance(phase, by: bytes.count)
                }
            }
        }
    }

    /// Copies or encodes tensors with the reference encoders, some rows at a time.
    func encode(
        _ indices: some Collection<Int>, to output: PendingOutput, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws {
        let arePieces = tensors.allSatisfy { $0.isCopied && $0.source is any PiecewiseTensor }
        if arePieces, indices.count == tensors.count {
            return try copyPieces(to: output, workers, progress)
        }
        // One list for all, so that no thread waits for the others at the end of each tensor.
        let pieces = indices.flatMap { index in
            let tensor = tensors[index].target
            return (0..<tensor.rows).cut(by: rowsPerPiece(tensor)).map { (index, $0) }
        }
        let phase = Phase("Writing", unit: "tensors")
        try progress.phase(phase, total: indices.count) {
            try workers.forEach(pieces.count) { number in
                let (index, rows) = pieces[number]
                let tensor = tensors[index]
                try encode(rows, of: tensor, index: index, to: output)
                input.mappedFiles.consumed(rows.count * tensor.source.descriptor.rowByteCount)
                if rows.upperBound == tensor.target.rows { progress.advance(phase, by: 1) }
            }
        }
    }

    private func encode(
        _ rows: Range<Int>, of tensor: Tensor, index: Int, to output: PendingOutput
    ) throws {
        let offset = rows.lowerBound * tensor.target.rowByteCount
        try tensor.source.withBytes(rows: rows) { bytes in
            guard !tensor.isCopied else {
                return try output.sink.write(bytes, tensor: index, at: offset)
            }
            let columns = tensor.target.columns
            let source = try RowCodec(tensor.source.descriptor.encoding, columns: columns)
            let target = try RowCodec(tensor.target.encoding, columns: columns)
            let weights = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows.count * columns)
            let encoded = UnsafeMutableRawBufferPointer.allocate(
                byteCount: rows.count * tensor.target.rowByteCount, alignment: 64)
            defer {
                weights.deallocate()
                encoded.deallocate()
            }
            if tensor.isRegridded {
                let regrid = try Regrid(
                    from: source.encoding, to: target.encoding, columns: columns)
                let changed = regrid.encode(bytes, into: encoded)
                guard changed == 0 else {
                    throw ModelError(
                        "tensor '\(tensor.target.name.escapedForDisplay)': \(changed) weights changed "
                            + "on the way to \(target.encoding)")
                }
                return try output.sink.write(
                    UnsafeRawBufferPointer(encoded), tensor: index, at: offset)
            }
            source.decode(bytes, into: weights)
            // Scalars hold infinities and NaN as well as the source does; blocks do not.
            let limit = tensor.target.encoding.largestWeight
            try UnsafeBufferPointer(weights).checkWeights(
                limit: limit, allowsNonFinite: !tensor.target.encoding.isQuantized,
                for: tensor.target.encoding, columns: columns, firstRow: rows.lowerBound,
                of: tensor.target.name)
            target.encode(UnsafeBufferPointer(weights), into: encoded)
            try output.sink.write(UnsafeRawBufferPointer(encoded), tensor: index, at: offset)
        }
    }

    /// Rows whose weights make about a megabyte: what one thread holds at a time.
    private func rowsPerPiece(_ tensor: TensorDescriptor) -> Int {
        max(1, (1 << 18) / max(1, tensor.columns))
    }
}

/// A quantization error with the tensor that it happened to.
public struct TensorQuantizationError: Error, Sendable, CustomStringConvertible {
    public let tensor: String
    public let error: QuantizationError

    public var description: String { "tensor '\(tensor.escapedForDisplay)': \(error)" }
}
