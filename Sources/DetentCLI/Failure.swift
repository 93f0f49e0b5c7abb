import BlockFormats
import ByteIO
import Conversion
import Evaluation
import Quantization
import TensorIR

/// What a person reads when a command fails: one line of what and where, one more with the remedy.
struct Failure: Sendable {
    let status: ExitStatus
    let messages: [String]
    let hint: String?

    /// - Parameter error: anything that a command may throw, except the argument parser's own errors.
    init(_ error: any Error) {
        (status, messages, hint) =
            switch error {
            case let error as GateFailure: (.failure, error.messages, nil)
            case let error as UsageError: (.usage, [error.message], error.hint)
            case let error as SystemError: (.inputOutput, [error.description], nil)
            case let error as RequantizationError:
                (
                    .badInput, [error.description],
                    "quantize the model that it was made from, or add '--allow-requantize'"
                )
            case let error as EvaluationError: (.badInput, [error.description], error.remedy)
            case is FormatError, is ModelError, is RecipeError, is TensorQuantizationError,
                is QuantizationError,
                is UnsupportedEncoding, is ImportanceMismatch:
                (.badInput, [String(describing: error)], nil)
            default: (.failure, [String(describing: error)], nil)
            }
    }

    /// The lines for standard error.
    var text: String {
        messages.map { "error: \($0)\n" }.joined() + (hint.map { "Hint: \($0)\n" } ?? "")
    }
}
