import Kernels
import ProgressReporting

/// Scores a model on the windows of a text, beside its reference where there is one.
///
/// Both models see a few windows, then their logits are compared a tile of positions at a time, so
/// memory grows neither with the text nor with its length times the vocabulary. Scores are kept for each
/// token and added up at the end, in the text's order: the figures are the same for any number of threads.
package struct Evaluator {
    private let model: any LogitSource
    private let reference: (any LogitSource)?
    /// Instead of `reference`: its predictions of the same positions, in their order.
    private let rows: (any ReferenceRows)?
    private let workers: Workers
    /// Hears of the model's predictions, where they are kept.
    package var recorder: (any RowRecorder)?
    /// Tokens that go through the models together, at least one window.
    package var tokensPerBatch = 8192
    /// Logits of one model that are held at a time; 2²⁴ are 64 MiB.
    package var logitsPerTile = 1 << 24

    package static let phase = Phase("Evaluating", unit: "windows")

    /// - Parameters:
    ///   - model: the model to score.
    ///   - reference: the model that it is compared with.
    ///   - rows: what such a model predicted earlier, one row for each scored position; not with `reference`.
    ///   - workers: the threads to work on.
    /// - Throws: `EvaluationError` when the vocabularies differ in size.
    package init(
        model: any LogitSource, reference: (any LogitSource)? = nil,
        rows: (any ReferenceRows)? = nil, workers: Workers
    ) throws(EvaluationError) {
        precondition(reference == nil || rows == nil)
        if let size = reference?.vocabularySize ?? rows?.vocabularySize,
            size != model.vocabularySize
        {
            throw EvaluationError.vocabulariesDiffer(
                model: model.vocabularySize, reference: size)
        }
        (self.model, self.reference, self.rows, self.workers) = (model, reference, rows, workers)
    }

    /// - Parameters:
    ///   - windows: at least one; `Convention.windows` makes them.
    ///   - convention: how they were cut; it goes into the result.
    ///   - progress: hears of each window.
    /// - Returns: means over all scored tokens.
    /// - Throws: `EvaluationError` for logits that are not finite, and what the models throw.
    package func evaluate(
        _ windows: [EvaluationWindow], convention: Convention,
        progress: some ProgressSink = SilentProgress()
    ) throws -> EvaluationResult {
        var scores: [TokenScore] = []
        try progress.phase(Evaluator.phase, total: windows.count) {
            var start = 0
            while start < windows.count {
                let batch = windows[start..<batchEnd(in: windows, from: start)]
                try scores += score(batch, firstRow: scores.count)
                progress.advance(Evaluator.phase, by: batch.count)
                start = batch.endIndex
            }
        }
        return EvaluationResult(
            scores, windows: windows, convention: convention,
            hasReference: reference != nil || rows != nil,
            noiseFloor: try noiseFloor(on: windows))
    }

    private func noiseFloor(on windows: [EvaluationWindow]) throws -> NoiseFloor.Source? {
        guard rows == nil else { return .kept }
        guard let reference = reference as? any RepeatableLogitSource, let first = windows.first
        else { return nil }
        return .measured(try reference.divergenceFromItself(on: first.ids, workers))
    }

    /// Where the run of windows ends that have the length of the first and fit in a batch.
    func batchEnd(in windows: [EvaluationWindow], from start: Int) -> Int {
        let length = windows[start].ids.count
        let end = min(windows.count, start + max(1, tokensPerBatch / length))
        return windows[start..<end].firstIndex { $0.ids.count != length } ?? end
    }

    /// One score for each scored position of windows of one length, in order.
    ///
    /// - Parameters:
    ///   - batch: the windows.
    ///   - firstRow: of their first position in `rows`.
    /// - Returns: as many scores as positions.
    /// - Throws: what `evaluate` throws.
    func score(
        _ batch: ArraySlice<EvaluationWindow>, firstRow: Int = 0
    ) throws -> [TokenScore] {
        let sequences = batch.map(\.ids)
        let hidden = try model.hiddenStates(of: sequences)
        let referenceHidden = try reference?.hiddenStates(of: sequences)
        let targets = batch.enumerated().flatMap { index, window in
            window.scored.map {
                Target(
                    row: index * window.ids.count + $0, id: Int(window.ids[$0 + 1]),
                    window: batch.startIndex + index, position: $0)
            }
        }
        let tile = min(targets.count, max(1, logitsPerTile / model.vocabularySize))
        let logits = Matrix(rows: tile, columns: model.vocabularySize)
        let referenceLogits = reference.map { Matrix(rows: tile, columns: $0.vocabularySize) }

        var scores: [TokenScore] = []
        for start in stride(from: 0, to: targets.count, by: tile) {
            let targets = Array(targets[start..<min(start + tile, targets.count)])
            let rows = targets.map(\.row)
            try model.logits(of: hidden, rows: rows, into: logits.rows(0..<rows.count))
            if let reference, let referenceHidden, let referenceLogits {
                try reference.logits(
                    of: referenceHidden, rows: rows, into: referenceLogits.rows(0..<rows.count))
            }
            try recorder?.record(logits, ids: targets.map(\.id), on: workers)
            if let kept = self.rows {
                try scores += score(targets, logits, kept, firstRow: firstRow + start)
            } else {
                try scores += score(targets, logits, referenceLogits.map(LogitRows.init))
            }
        }
        return scores
    }

    /// - Parameters:
    ///   - targets: the tokens to predict.
    ///   - logits: one row per target, in the targets' order.
    ///   - reference: the reference's predictions.
    ///   - firstRow: of `reference`, which belongs to the first target.
    /// - Returns: one score per target.
    /// - Throws: `EvaluationError` for logits that are not finite.
    private func score(
        _ targets: [Target], _ logits: Matrix, _ reference: (any ReferenceRows)?,
        firstRow: Int = 0
    ) throws(EvaluationError) -> [TokenScore] {
        let scores = UnsafeMutableBufferPointer<TokenScore>.allocate(capacity: targets.count)
        scores.initialize(repeating: TokenScore(negativeLogLikelihood: 0))
        defer { scores.deallocate() }
        nonisolated(unsafe) let destination = scores  // each item writes its own element
        try workers.forEach(targets.count) { index throws(EvaluationError) in
            let score = TokenScore(
                of: targets[index].id, logits: UnsafeBufferPointer(logits.row(index)),
                reference: reference, row: firstRow + index)
            guard score.isFinite else {
                throw EvaluationError.notFinite(
                    window: targets[index].window, position: targets[index].position)
            }
            destination[index] = score
        }
        return Array(scores)
    }
}

/// A prediction to be scored: the row that makes it and the token that comes.
private struct Target: Sendable {
    let row: Int
    let id: Int
    let window: Int
    let position: Int
}
