import ByteIO
import Evaluation
import OrderedCollections

/// What smaller copies of one model lost: a ladder of types, each by several methods, all measured on the
/// same text against the same reference.
///
/// The JSON is a contract, specified in Formats/Reports/LADDER.md. Pages are made of it alone, so that a
/// report that is read back renders to the same bytes.
public struct LadderReport: Sendable, Hashable {
    /// The version of the JSON's layout.
    public static let schema = 1

    /// Of the package that measured.
    public var version: String
    /// What the copies were made of.
    public var model: Source
    /// What they are compared with.
    public var reference: Source
    public var text: EvaluationReport.Text
    public var convention: Convention
    /// Windows that were asked for at most.
    public var windowLimit: Int?
    /// Nil where no method looks at text.
    public var calibration: Calibration?
    /// Where it was measured, by what it is: `system`, `processor`, `threads`.
    public var environment: OrderedDictionary<String, String>
    /// What repeats it.
    public var command: String
    public var entries: [Entry]
    /// What was asked for and does not exist, with the reason.
    public var omissions: [Omission]

    public init(
        version: String, model: Source, reference: Source, text: EvaluationReport.Text,
        convention: Convention, windowLimit: Int? = nil, calibration: Calibration? = nil,
        environment: OrderedDictionary<String, String> = [:], command: String,
        entries: [Entry] = [], omissions: [Omission] = []
    ) {
        (self.version, self.model, self.reference, self.text) = (version, model, reference, text)
        (self.convention, self.windowLimit) = (convention, windowLimit)
        (self.calibration, self.environment) = (calibration, environment)
        (self.command, self.entries, self.omissions) = (command, entries, omissions)
    }

    /// A model that was there before.
    public struct Source: Sendable, Hashable {
        /// Without its folder.
        public var name: String
        /// Of its files: `Checkpoint.contentDigest`.
        public var digest: String
        public var byteCount: Int
        public var parameterCount: Int
        public var bitsPerWeight: Double

        public init(
            name: String, digest: String, byteCount: Int, parameterCount: Int, bitsPerWeight: Double
        ) {
            (self.name, self.digest, self.byteCount) = (name, digest, byteCount)
            (self.parameterCount, self.bitsPerWeight) = (parameterCount, bitsPerWeight)
        }
    }

    /// The text that methods looked at.
    public struct Calibration: Sendable, Hashable {
        /// Its file without the folder, or a bundled corpus.
        public var name: String
        public var digest: String
        public var windowCount: Int
        /// Tokens in a window.
        public var length: Int
        /// Nil for the text's first windows.
        public var seed: UInt64?

        public init(
            name: String, digest: String, windowCount: Int, length: Int, seed: UInt64? = nil
        ) {
            (self.name, self.digest, self.windowCount) = (name, digest, windowCount)
            (self.length, self.seed) = (length, seed)
        }
    }

    /// A rung that there is not.
    public struct Omission: Sendable, Hashable {
        public var type: String
        public var method: String
        public var reason: String

        public init(type: String, method: String, reason: String) {
            (self.type, self.method, self.reason) = (type, method, reason)
        }
    }
}

extension LadderReport {
    /// One written file, and what was found about it.
    public struct Entry: Sendable, Hashable {
        /// `q4_0`
        public var type: String
        /// `gptq`; nil for a type that is converted to.
        public var method: String?
        /// The file's name.
        public var file: String
        public var byteCount: Int
        /// SHA-256 of its bytes.
        public var digest: String
        public var tensors: [Tensor]
        /// What people should know about how it was made.
        public var notes: [String]
        /// Nil where not measured; nothing that must repeat.
        public var quantizingSeconds, evaluatingSeconds: Double?
        /// A report of `evalppl`, as Formats/Reports/SPECIFICATION.md has it.
        public let evaluation: JSON
        public let figures: Figures

        /// - Parameters:
        ///   - type: as users spell it.
        ///   - method: likewise.
        ///   - file: without a folder.
        ///   - byteCount: of the file.
        ///   - digest: of its bytes.
        ///   - tensors: in the file's order.
        ///   - notes: for people.
        ///   - evaluation: the JSON of an `EvaluationReport` with a reference.
        /// - Throws: `FormatError` for an evaluation without the figures that a ladder shows.
        public init(
            type: String, method: String?, file: String, byteCount: Int, digest: String,
            tensors: [Tensor], notes: [String] = [], evaluation: JSON
        ) throws(FormatError) {
            (self.type, self.method, self.file) = (type, method, file)
            (self.byteCount, self.digest, self.tensors) = (byteCount, digest, tensors)
            (self.notes, self.evaluation) = (notes, evaluation)
            figures = try Figures(Fields(evaluation, "evaluation of \(file)"))
        }

        /// Files of one type differ by some bytes of what they say of their origin, which makes none smaller.
        var tensorByteCount: Double { tensors.reduce(0) { $0 + Double($1.byteCount) } }

        /// `Q4_0 gptq`, as tables and plots call it.
        public var title: String {
            [type.uppercased(), method].compactMap(\.self).joined(separator: " ")
        }
    }

    /// A tensor of a written file.
    public struct Tensor: Sendable, Hashable {
        public var name: String
        /// `Q4_0`
        public var encoding: String
        /// Outermost dimension first.
        public var shape: [Int]
        public var byteCount: Int
        /// Σ w² of the source, and Σ (w − w′)² of the file's weights w′ against it; nil where weights of the two
        /// are not the same quantities.
        public var squares, errorSquares: Double?

        public init(
            name: String, encoding: String, shape: [Int], byteCount: Int,
            squares: Double? = nil, errorSquares: Double? = nil
        ) {
            (self.name, self.encoding) = (name, encoding)
            (self.shape, self.byteCount) = (shape, byteCount)
            (self.squares, self.errorSquares) = (squares, errorSquares)
        }

        public var weightCount: Int { shape.reduce(1, *) }
        public var bitsPerWeight: Double { Double(byteCount) * 8 / Double(max(1, weightCount)) }
    }

    /// The figures of an evaluation that pages show.
    public struct Figures: Sendable, Hashable {
        public let bitsPerWeight: Double
        public let perplexity, referencePerplexity: Double
        public let perplexityInterval: ConfidenceInterval?
        public let ratio: Double
        /// Paired: of the difference of losses on the same tokens.
        public let ratioInterval: ConfidenceInterval?
        public let divergence, divergencePercentile99: Double
        public let divergenceInterval: ConfidenceInterval?
        public let sameTop: Double
        public let sameTopInterval: ConfidenceInterval?
        public let windowCount, tokensScored: Int
        /// Mean divergence of each block of the text, in its order.
        public let blockDivergences: [Double]
    }
}
