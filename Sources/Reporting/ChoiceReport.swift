import ByteIO
import Evaluation
import Inference

/// How a model did on multiple-choice tasks.
public struct ChoiceReport: Sendable, Hashable {
    public let model: ModelSummary
    public let kind: ChoiceQuestion.Kind
    /// The file of tasks.
    public let path: String
    public let result: ChoiceResult
    /// Of the products that the answers come from.
    public let precision: Precision

    public init(
        model: ModelSummary, kind: ChoiceQuestion.Kind, path: String, result: ChoiceResult,
        precision: Precision = .f32
    ) {
        (self.model, self.kind, self.path, self.result) = (model, kind, path, result)
        self.precision = precision
    }

    /// Specified in Formats/Reports/SPECIFICATION.md, "Tasks".
    public var json: JSON {
        [
            "schema": .integer(EvaluationReport.schema), "task": .string(kind.rawValue),
            "path": .string(path), "tasks": .integer(result.taskCount),
            "right": .integer(result.rightCount), "accuracy": .number(result.accuracy),
            "accuracy_interval95": .interval(result.interval),
            "precision": .string(precision.rawValue), "model": model.json,
        ]
    }

    public var tableText: String {
        var table = TextTable(("", .left), ("", .left))
        let spell = { NumberFormatting.fixed($0 * 100, decimals: 2) }
        table.add("model", model.path.escapedForDisplay)
        table.add(
            "tasks",
            "\(path.escapedForDisplay) (\(kind.rawValue), as llama.cpp scores it"
                + (precision.note.map { ", \($0)" } ?? "") + ")")
        table.add(
            "accuracy",
            "\(spell(result.accuracy)) % (95 %: \(spell(result.interval.lower)) to "
                + "\(spell(result.interval.upper))), \(result.rightCount) of \(result.taskCount)")
        return table.text()
    }
}
