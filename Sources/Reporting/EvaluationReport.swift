import ByteIO
import Evaluation

/// What an evaluation found, about which model, on which text.
///
/// The JSON is a contract: members are added, and `schema` grows when one changes its meaning or leaves.
public struct EvaluationReport: Sendable, Hashable {
    /// The version of the JSON's layout.
    public static let schema = 1

    public var model: ModelSummary
    public var reference: ModelSummary?
    /// The text's name or path.
    public var text: String
    /// Tokens that the text has, scored or not.
    public var textTokenCount: Int
    public var result: EvaluationResult
    public var gates: [Gate]

    public init(
        model: ModelSummary, reference: ModelSummary?, text: String, textTokenCount: Int,
        result: EvaluationResult, gates: [Gate] = []
    ) {
        self.model = model
        self.reference = reference
        self.text = text
        self.textTokenCount = textTokenCount
        self.result = result
        self.gates = gates
    }

    /// A bound that a figure must keep.
    public struct Gate: Sendable, Hashable {
        public enum Direction: String, Sendable, Hashable {
            case atMost = "at most"
            case atLeast = "at least"
        }

        /// As the table calls it: `KL divergence`.
        public let figure: String
        public let value: Double
        public let direction: Direction
        public let bound: Double

        public init(_ figure: String, _ value: Double, _ direction: Direction, _ bound: Double) {
            (self.figure, self.value, self.direction, self.bound) = (
                figure, value, direction, bound
            )
        }

        /// What is not a number passes no gate.
        public var isPassed: Bool { direction == .atMost ? value <= bound : value >= bound }
    }

    public var failedGates: [Gate] { gates.filter { !$0.isPassed } }
}

extension EvaluationReport.Gate: CustomStringConvertible {
    /// `KL divergence is 0.0931, must be at most 0.0850`.
    public var description: String {
        let spell = { NumberFormatting.fixed($0, decimals: 6) }
        return "\(figure) is \(spell(value)), must be \(direction.rawValue) \(spell(bound))"
    }
}
