import ProgressReporting

extension Evaluator {
    package static let choicePhase = Phase("Answering", unit: "answers")

    /// Lengths are rounded up to a multiple of this, so that sequences can go through the model together.
    private static let lengthStep = 16

    static func paddedLength(_ length: Int) -> Int {
        (length + lengthStep - 1) / lengthStep * lengthStep
    }

    /// Answers multiple-choice tasks.
    ///
    /// Sequences are padded behind their end, which no position before it sees, and go through the model in
    /// order of their length.
    ///
    /// - Parameters:
    ///   - tasks: at least one.
    ///   - progress: hears of each answer that was scored.
    /// - Returns: how many were answered rightly.
    /// - Throws: what `evaluate` throws.
    package func answer(
        _ tasks: [ChoiceTask], progress: some ProgressSink = SilentProgress()
    ) throws -> ChoiceResult {
        let answers = tasks.indices.flatMap { task in
            tasks[task].sequences.indices.map { (task: task, answer: $0) }
        }.sorted {
            tasks[$0.task].sequences[$0.answer].count < tasks[$1.task].sequences[$1.answer].count
        }
        let windows = answers.map { place in
            let ids = tasks[place.task].sequences[place.answer]
            let scored = tasks[place.task].scored[place.answer]
            let padding = Self.paddedLength(ids.count) - ids.count
            return EvaluationWindow(
                ids: ids + [Int32](repeating: ids[0], count: padding),
                scored: scored.lowerBound - 1..<scored.upperBound - 1)
        }
        var means = tasks.map { [Double](repeating: 0, count: $0.sequences.count) }
        try progress.phase(Evaluator.choicePhase, total: windows.count) {
            var start = 0
            while start < windows.count {
                let batch = windows[start..<batchEnd(in: windows, from: start)]
                var scores = try score(batch)[...]
                for index in batch.indices {
                    let own = scores.prefix(batch[index].scored.count)
                    scores = scores.dropFirst(own.count)
                    let place = answers[index]
                    means[place.task][place.answer] =
                        -own.reduce(0) { $0 + $1.negativeLogLikelihood } / Double(own.count)
                }
                progress.advance(Evaluator.choicePhase, by: batch.count)
                start = batch.endIndex
            }
        }
        let rightCount = zip(tasks, means).count { $0.isAnswered(rightBy: $1) }
        return ChoiceResult(taskCount: tasks.count, rightCount: rightCount)
    }
}
