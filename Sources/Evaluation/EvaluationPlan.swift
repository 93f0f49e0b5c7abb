import Architectures
import Inference
import Kernels
import ProgressReporting

/// How a text is cut and what of it is scored, and on how many threads.
public struct EvaluationPlan: Sendable {
    public var convention: Convention
    /// Windows at most; nil takes all that the text gives.
    public var windowLimit: Int?
    /// Threads to work on; nil takes one per processor. Figures do not depend on it.
    public var threadCount: Int?
    /// Of the products of all models that run. What was kept of a reference is as precise as it was then.
    public var precision = Precision.f32

    public init(convention: Convention, windowLimit: Int? = nil, threadCount: Int? = nil) {
        self.convention = convention
        self.windowLimit = windowLimit
        self.threadCount = threadCount
    }

    /// Scores a model on a text, and compares it with a reference where there is one.
    ///
    /// - Parameters:
    ///   - model: the model to score.
    ///   - reference: the model that it was made from; both have the same vocabulary.
    ///   - ids: the text in tokens of both models, with the tokenizer's BOS in front where it adds one.
    ///   - beginningOfText: that BOS.
    ///   - progress: hears of each window.
    /// - Returns: the figures of `model`, and the comparison where there is a reference.
    /// - Throws: `EvaluationError` when text and models do not allow it; `ModelError` for a token that the
    ///   vocabulary does not have.
    public func evaluate(
        _ model: LanguageModel, against reference: LanguageModel? = nil, ids: [Int32],
        beginningOfText: Int32?, progress: some ProgressSink = SilentProgress()
    ) throws -> EvaluationResult {
        try evaluate(
            model, against: reference.map(Reference.model),
            windows: convention.windows(
                of: ids, beginningOfText: beginningOfText, limit: windowLimit),
            progress: progress)
    }

    /// What a model is compared with.
    package enum Reference {
        case model(LanguageModel)
        case kept(KeptReference)
    }

    /// - Parameters:
    ///   - model: the model to score.
    ///   - reference: the model that it was made from, or what that one predicted.
    ///   - windows: the text; `Convention.windows` makes them.
    ///   - recorder: keeps what `model` predicts.
    ///   - progress: hears of each window.
    /// - Returns: the figures of `model`, and the comparison where there is a reference.
    /// - Throws: what the public function of the name throws, and what `recorder` throws.
    package func evaluate(
        _ model: LanguageModel, against reference: Reference?, windows: [EvaluationWindow],
        recorder: (any RowRecorder)? = nil, progress: some ProgressSink
    ) throws -> EvaluationResult {
        let workers = Workers(threadCount: threadCount)
        func decoder(_ model: LanguageModel) throws -> Decoder {
            try Decoder(
                model, positionCount: convention.context, workers: workers, precision: precision)
        }
        var evaluator =
            switch reference {
            case nil: try Evaluator(model: decoder(model), workers: workers)
            case .model(let other):
                try Evaluator(
                    model: decoder(model), reference: decoder(other), workers: workers)
            case .kept(let kept):
                try Evaluator(
                    model: decoder(model), rows: kept.rows(of: windows, convention),
                    workers: workers)
            }
        evaluator.recorder = recorder
        return try evaluator.evaluate(windows, convention: convention, progress: progress)
    }

    /// Makes sure, before any work, that figures will have intervals: two blocks of windows at least.
    ///
    /// - Throws: `EvaluationError.tooFewBlocks`, or what cutting the text throws.
    public func checkInterval(ids: [Int32], beginningOfText: Int32?) throws(EvaluationError) {
        let windowCount = try convention.windows(
            of: ids, beginningOfText: beginningOfText, limit: windowLimit
        ).count
        guard windowCount > convention.windowsPerBlock else {
            throw .tooFewBlocks(windowCount: windowCount, needed: convention.windowsPerBlock + 1)
        }
    }

    /// Answers multiple-choice tasks.
    ///
    /// - Parameters:
    ///   - questions: at least one; `windowLimit` and `convention` have no say here.
    ///   - model: the model that answers.
    ///   - encode: turns text into its tokens, with BOS where the tokenizer adds one.
    ///   - progress: hears of each answer.
    /// - Returns: how many were answered rightly.
    /// - Throws: `EvaluationError` for a task that has no tokens or too many, and what `encode` throws.
    public func answer(
        _ questions: [ChoiceQuestion], with model: LanguageModel,
        encode: (String) throws -> [Int32], progress: some ProgressSink = SilentProgress()
    ) throws -> ChoiceResult {
        let context = model.description.contextLength
        var longest = 0
        let tasks = try questions.enumerated().map { index, question in
            let task = try ChoiceTask(question, number: index + 1, encode: encode)
            let tokenCount = task.sequences.map(\.count).max() ?? 0
            guard tokenCount <= context else {
                throw EvaluationError.answerTooLong(
                    task: index + 1, tokenCount: tokenCount, context: context)
            }
            longest = max(longest, tokenCount)
            return task
        }
        let workers = Workers(threadCount: threadCount)
        let decoder = try Decoder(
            model, positionCount: Evaluator.paddedLength(longest), workers: workers,
            precision: precision)
        return try Evaluator(model: decoder, workers: workers).answer(tasks, progress: progress)
    }
}
