/// Why a model cannot be evaluated on a text, or not against a reference.
public enum EvaluationError: Error, Sendable, Hashable {
    /// The text has fewer tokens than one window.
    case textTooShort(tokenCount: Int, context: Int)
    /// The models do not predict the same tokens.
    case vocabulariesDiffer(model: Int, reference: Int)
    /// The model answers with numbers that are no logits.
    case notFinite(window: Int, position: Int)
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
        }
    }

    /// What may be done about it.
    public var remedy: String? {
        switch self {
        case .textTooShort: "use a longer text, or smaller windows"
        case .vocabulariesDiffer: "the reference must be the model that this one was made from"
        case .notFinite: nil
        }
    }
}
