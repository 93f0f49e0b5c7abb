import ByteIO
import Conversion
import Evaluation
import Reporting
import TensorIR
import Tokenization

/// A model, the copies to make of it, and the text to measure them on.
///
/// Nothing that was done is done again: every file and every evaluation is kept under a digest of all that
/// went into it, so that a run that was ended goes on where it was, and one with other settings does anew
/// what they concern.
public struct Ladder: Sendable {
    /// A model under the name that reports have.
    public struct Model: Sendable {
        public let checkpoint: Checkpoint
        /// Without its folder; empty for the bundled one.
        public let name: String

        public init(_ checkpoint: Checkpoint, name: String) {
            (self.checkpoint, self.name) = (checkpoint, name)
        }
    }

    /// A text under the name that reports have.
    public struct Text: Sendable {
        /// A file without its folder, or a bundled corpus.
        public let name: String
        public let bytes: [UInt8]

        public init(name: String, bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
    }

    /// Text for methods that look at some, cut into windows.
    public struct Calibration: Sendable {
        public let text: Text
        public let windows: CalibrationWindows
        /// Tokens in a window.
        public let length: Int
        /// What drew the windows; nil for the text's first.
        public let seed: UInt64?

        public init(_ text: Text, windows: CalibrationWindows, length: Int, seed: UInt64?) {
            (self.text, self.windows, self.length, self.seed) = (text, windows, length, seed)
        }

        var digest: String { ContentDigest.sha256(text.bytes) }
    }

    public var rungs: [Rung]
    public var model: Model
    /// What copies are compared with; the model itself by default.
    public var reference: Model?
    public var text: Text
    /// Needed where a rung's method looks at text.
    public var calibration: Calibration?
    public var evaluation: EvaluationPlan
    /// Of the program, as files and reports state it.
    public var version: String
    /// What a person types for the same.
    public var command: String

    public init(
        _ rungs: [Rung], of model: Model, text: Text, calibration: Calibration? = nil,
        evaluation: EvaluationPlan, version: String, command: String
    ) {
        (self.rungs, self.model, self.text, self.calibration) = (rungs, model, text, calibration)
        (self.evaluation, self.version, self.command) = (evaluation, version, command)
    }

    /// What a run left.
    public struct Outcome: Sendable {
        public let report: LadderReport
        /// Files that were there, and evaluations.
        public let keptFileCount, keptEvaluationCount: Int
    }
}
