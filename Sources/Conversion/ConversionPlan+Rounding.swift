import BlockFormats
import Inference
import Kernels
import ProgressReporting
import Quantization
import Synchronization
import TensorIR

extension ConversionPlan {
    /// Rounds every matrix to nearest and writes it; all else is copied or encoded.
    func roundToNearest(
        to output: PendingOutput, _ summary: inout ConversionSummary, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws {
        let hasStatistics = recipe.importance != nil || !recipe.calibrationWindows.isEmpty
        let importance = try importanceByRole(workers, progress)
        let due = tensors.indices.filter { isQuantized(tensors[$0]) }
        try encode(tensors.indices.filter { !due.contains($0) }, to: output, workers, progress)
        let roundings = try pieces(of: due).map { piece in
            let weights = importance[statisticsRole(of: piece)]
            let canWeigh = weights?.canWeigh == true
            return Rounding(
                piece: piece, source: try LinearMatrix(tensors[piece.index].source),
                importance: canWeigh ? weights : nil,
                fallback: hasStatistics && !canWeigh && !isLookedUpOnly(piece)
                    ? weights?.obstacle ?? .noStatistics : nil)
        }
        let reports = try round(roundings, to: output, workers, progress)
        for (rounding, var report) in zip(roundings, reports) {
            report.fallback = rounding.fallback
            summary.matrices.append(
                ConversionSummary.Matrix(
                    name: name(of: rounding.piece), role: rounding.piece.roles[0], report: report))
        }
    }

    /// A piece with what its rounding needs.
    private struct Rounding {
        let piece: Piece
        let source: LinearMatrix
        /// What an error in each column counts; nil for all alike.
        let importance: [Float]?
        /// Why all columns count alike, where they should not.
        let fallback: GPTQFallback?
    }

    /// Rounds pieces and writes them, each thread so many rows at a time as stay in its processor's cache.
    ///
    /// The rows of all pieces are one list, so that no thread waits for the others at the end of each piece.
    /// - Returns: what it did to each piece.
    private func round(
        _ roundings: [Rounding], to output: PendingOutput, _ workers: Workers,
        _ progress: some ProgressSink
    ) throws -> [QuantizationReport] {
        let parts = roundings.enumerated().flatMap { number, rounding in
            let tiles = max(1, (1 << 16) / max(1, Tile.lanes * rounding.source.columns))
            return rounding.piece.rows.cut(by: tiles * Tile.lanes).map { (number, $0) }
        }
        let reports = Mutex([QuantizationReport?](repeating: nil, count: parts.count))
        let phase = Phase("Rounding", unit: "matrices")
        try progress.phase(phase, total: roundings.count) {
            try workers.forEach(parts.count) { index in
                let (number, rows) = parts[index]
                let report = try round(rows, of: roundings[number], to: output)
                reports.withLock { $0[index] = report }
                let isLast = rows.upperBound == roundings[number].piece.rows.upperBound
                if isLast { progress.advance(phase, by: 1) }
            }
        }
        var ofPieces = roundings.map { _ in [QuantizationReport]() }
        for (part, report) in zip(parts, reports.withLock(\.self)) {
            if let report { ofPieces[part.0].append(report) }
        }
        return try zip(roundings, ofPieces).map {
            try sum($1, of: tensors[$0.piece.index].target)
        }
    }

    private func round(
        _ rows: Range<Int>, of rounding: Rounding, to output: PendingOutput
    ) throws -> QuantizationReport {
        let index = rounding.piece.index
        let (tensor, target) = (tensors[index], tensors[index].target)
        let weights = Matrix(unsetRows: rows.count, columns: target.columns)
        try rounding.source.decode(rows, into: weights.elements)
        input.mappedFiles.consumed(rows.count * tensor.source.descriptor.rowByteCount)
        let result = try named(tensor, firstRow: rows.lowerBound) {
            () throws(QuantizationError) in
            try RoundToNearest().quantize(
                weights, to: target.encoding, importance: rounding.importance, workers: .current)
        }
        try result.bytes.withUnsafeBytes {
            try output.sink.write($0, tensor: index, at: rows.lowerBound * target.rowByteCount)
        }
        return result.report
    }
}
