/// A question in tokens: one sequence for each answer, and what of it is scored.
package struct ChoiceTask: Sendable, Hashable {
    package let sequences: [[Int32]]
    /// The tokens of each sequence whose log-probabilities make its score: not empty, and not the first.
    package let scored: [Range<Int>]
    package let isRight: [Bool]
    /// Which of equal scores wins; Winogrande's rule asks whether the first is larger.
    package let lastOfEqualsWins: Bool

    /// - Parameters:
    ///   - question: the question in text.
    ///   - number: of the task, counted from 1, for errors.
    ///   - encode: turns text into tokens, with BOS where the tokenizer adds one.
    /// - Throws: what `encode` throws, and `EvaluationError.emptyAnswer` for a sequence of less than two
    ///   tokens.
    package init(
        _ question: ChoiceQuestion, number: Int = 1, encode: (String) throws -> [Int32]
    ) throws {
        let sequences = try question.answers.indices.map { try encode(question.text(answer: $0)) }
        guard let shortest = sequences.map(\.count).min(), shortest >= 2 else {
            throw EvaluationError.emptyAnswer(task: number)
        }
        let prefix = (0..<shortest).first { index in
            sequences.contains { $0[index] != sequences[0][index] }
        }
        // A sequence that another one begins with keeps a token to score, and nothing predicts the first.
        let common = max(1, min(prefix ?? shortest, shortest - 1))
        self.sequences = sequences
        isRight = question.isRight
        guard question.kind == .winogrande else {
            scored = sequences.map { common..<$0.count }
            lastOfEqualsWins = false
            return
        }
        lastOfEqualsWins = true
        let isChoiceSkipped = sequences.allSatisfy {
            $0.count - common > Self.minimumTrailingTokens
        }
        scored = try sequences.indices.map { index in
            let count = sequences[index].count
            var start = common
            if isChoiceSkipped {
                let base = try encode(question.question + question.answers[index]).count
                start = max(1, min(base, count - 1))
            }
            return start..<(count - start > 1 ? count - 1 : count)
        }
    }

    /// Tokens behind the common ones that make it worth leaving the choice itself out.
    private static let minimumTrailingTokens = 3

    /// Whether the answer with the largest of some scores is a right one.
    func isAnswered(rightBy scores: [Double]) -> Bool {
        var best = 0
        for index in scores.indices.dropFirst() {
            let isBetter =
                lastOfEqualsWins ? scores[index] >= scores[best] : scores[index] > scores[best]
            if isBetter { best = index }
        }
        return isRight[best]
    }
}

/// How many questions a model answers rightly.
public struct ChoiceResult: Sendable, Hashable {
    public let taskCount: Int
    public let rightCount: Int

    public init(taskCount: Int, rightCount: Int) {
        (self.taskCount, self.rightCount) = (taskCount, rightCount)
    }

    /// 0 to 1.
    public var accuracy: Double { Double(rightCount) / Double(taskCount) }

    /// Wilson's interval (1927) of 95 % confidence, as llama.cpp prints it: it stays within 0 to 1, and
    /// holds for few tasks and for accuracies at either end, where the normal one has no width.
    public var interval: ConfidenceInterval {
        let (count, z) = (Double(taskCount), 1.95996398454)
        let square = z * z / count
        let reach = z * (accuracy * (1 - accuracy) / count + square / (4 * count)).squareRoot()
        return ConfidenceInterval(
            lower: (accuracy + square / 2 - reach) / (1 + square),
            upper: (accuracy + square / 2 + reach) / (1 + square))
    }
}
