import ByteIO
import Evaluation
import Inference

/// What an evaluation found, about which model, on which text.
///
/// The JSON is a contract, specified in Formats/Reports/SPECIFICATION.md: members are added, and `schema`
/// grows when one changes its meaning or leaves.
public struct EvaluationReport: Sendable {
    /// The version of the JSON's layout.
    public static let schema = 2

    public var model: ModelSummary
    public var reference: ModelSummary?
    public var text: Text
    public var result: EvaluationResult
    /// Of the products that the figures come from.
    public var precision = Precision.f32
    public var gates: [Gate]
    /// Against an earlier evaluation.
    public var regression: Regression?
    /// What the text has in common with the one that the model was calibrated on.
    public var leakage: Leakage?
    /// Spells token ids out, for people to read.
    public var spelling: (@Sendable ([Int32]) -> String)?

    public init(
        model: ModelSummary, reference: ModelSummary?, text: Text, result: EvaluationResult,
        gates: [Gate] = []
    ) {
        self.model = model
        self.reference = reference
        self.text = text
        self.result = result
        self.gates = gates
    }

    /// The text that was predicted.
    public struct Text: Sendable, Hashable {
        /// Its name or path.
        public var name: String
        /// SHA-256 of its bytes, in hexadecimal.
        public var digest: String
        /// Tokens that it has, scored or not.
        public var tokenCount: Int

        public init(name: String, digest: String, tokenCount: Int) {
            (self.name, self.digest, self.tokenCount) = (name, digest, tokenCount)
        }
    }

    /// The overlap with a calibration text.
    public struct Leakage: Sendable, Hashable {
        /// The calibration text's name or path.
        public var calibration: String
        public var overlap: TextOverlap

        public init(calibration: String, overlap: TextOverlap) {
            (self.calibration, self.overlap) = (calibration, overlap)
        }
    }

    public var failedGates: [Gate] { gates.filter { !$0.isPassed } }
}
