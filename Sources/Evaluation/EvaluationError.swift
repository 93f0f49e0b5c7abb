/// Why a model cannot be evaluated on a text, or not against a reference.
public enum EvaluationError: Error, Sendable, Hashable {
    /// The text has fewer tokens than one window.
    case textTooShort(tokenCount: Int, context: Int)
    /// The models do not predict the same tokens.
    case vocabulariesDiffer(model: Int, reference: Int)
    /// The model answers with numbers that are no logits.
    case notFinite(window: Int, position: Int)
    /// A task, counted from 1, of which a sequence has less than two tokens, so that nothing can be scored.
    case emptyAnswer(task: Int)
    /// A task that is longer than the model's context.
    case answerTooLong(task: Int, tokenCount: Int, context: Int)
    /// Too few blocks of the text for an interval, without which no gate can be judged.
    case tooFewBlocks(windowCount: Int, needed: Int)
    /// An earlier evaluation was not of the same text, cut in the same way, against the same reference.
    case baselineDiffers(Difference)

    /// A stored reference is not of the same text, cut in the same way.
    case storedReferenceDiffers(Difference)

    /// In what an earlier evaluation is not comparable.
    public enum Difference: String, Sendable, Hashable {
        case text = "another text"
        case convention = "another convention"
        case precision = "another precision"
        case windows = "other windows"
        case reference = "another reference"
    }
}

extension EvaluationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .textTooShort(let tokenCount, let context):
            "the text has \(tokenCount) tokens, and one window takes \(context)"
        case .vocabulariesDiffer(let model, let reference):
            "the model has \(model) tokens, the reference \(reference)"
        case .notFinite(let window, let position):
            "the logits at position \(position) of window \(window) are not finite"
        case .emptyAnswer(let task): "task \(task): an answer has no tokens to score"
        case .answerTooLong(let task, let tokenCount, let context):
            "task \(task): an answer takes \(tokenCount) tokens, and the model's context has \(context)"
        case .tooFewBlocks(let windowCount, let needed):
            "a gate is judged by a confidence interval, which takes \(needed) windows at least; there "
                + (windowCount == 1 ? "is 1" : "are \(windowCount)")
        case .baselineDiffers(let difference):
            "the baseline was made with \(difference.rawValue)"
        case .storedReferenceDiffers(let difference):
            "the stored reference was made with \(difference.rawValue)"
        }
    }

    /// What may be done about it.
    public var remedy: String? {
        switch self {
        case .textTooShort: "use a longer text, or smaller windows"
        case .vocabulariesDiffer: "the reference must be the model that this one was made from"
        case .notFinite, .emptyAnswer, .answerTooLong: nil
        case .tooFewBlocks: "use a longer text, more '--chunks', or smaller windows"
        case .storedReferenceDiffers:
            "use the text and the '--ctx' that it was made with, and '--chunks' of no more windows"
        case .baselineDiffers:
            "make the baseline with the same text, options and reference: 'evalppl … --json base.json'"
        }
    }
}
