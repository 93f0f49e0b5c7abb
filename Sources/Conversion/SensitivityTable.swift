import ByteIO
import TensorIR

/// How much each matrix of a model loses in each encoding, as far as that can be told matrix by matrix.
///
/// The loss of a matrix in an encoding is the squared error of its rounding, weighted by how strongly its
/// inputs vary, times a factor of the matrix's own: the divergence that the whole model's predictions had,
/// per unit of that error, when this matrix alone was rounded coarsely. Losses of different matrices add
/// up, nearly, while they are small.
public struct SensitivityTable: Sendable, Hashable {
    /// What is known of one tensor.
    public struct Entry: Sendable, Hashable {
        /// Weights of the tensor.
        public let weightCount: Int
        /// Mean divergence in nats per unit of weighted error.
        public let divergencePerError: Double
        /// Weighted errors by encoding.
        public let errors: [Encoding: Double]

        /// The mean divergence in nats that an encoding is expected to cause; nil where it was not measured.
        public func loss(in encoding: Encoding) -> Double? {
            errors[encoding].map { $0 * divergencePerError }
        }
    }

    /// What a table was measured on.
    public struct Origin: Sendable, Hashable {
        /// `LanguageModel.weightDigest()`
        public let modelDigest: String
        /// SHA-256 of the calibration text; nil where whoever measured did not know it.
        public let textDigest: String?

        public init(modelDigest: String, textDigest: String?) {
            (self.modelDigest, self.textDigest) = (modelDigest, textDigest)
        }
    }

    /// By the tensor's name in GGUF.
    public var entries: [ExactString: Entry]
    /// Nil for a table that was not measured, and then fits every model with its tensors.
    public var origin: Origin?

    public init(entries: [ExactString: Entry], origin: Origin? = nil) {
        (self.entries, self.origin) = (entries, origin)
    }
}

extension SensitivityTable {
    private static let schema = 2

    /// The table as a file holds it.
    public var json: JSON {
        let tensors = entries.sorted { $0.key.string < $1.key.string }.map { name, entry -> JSON in
            let errors = entry.errors.sorted { $0.key.description < $1.key.description }
            return [
                "name": .string(name.string),
                "weights": .integer(entry.weightCount),
                "divergence_per_error": .number(entry.divergencePerError),
                "errors": .object(
                    JSON.Members(
                        uniqueKeysWithValues: errors.map {
                            (ExactString($0.key.description), .number($0.value))
                        })),
            ]
        }
        var table: JSON.Members = ["schema": .integer(Self.schema)]
        if let origin {
            table["model"] = .string(origin.modelDigest)
            table["calibration"] = origin.textDigest.map { .string($0) }
        }
        table["tensors"] = .array(tensors)
        return .object(table)
    }

    /// - Throws: `FormatError` for a document that is no such table, or one of another schema.
    public init(json: JSON, subject: String) throws(FormatError) {
        func failure(_ detail: String) -> FormatError {
            FormatError(.inconsistent, in: subject, at: 0, detail)
        }
        guard let schema = json["schema"]?.integer, let tensors = json["tensors"]?.array else {
            throw failure("is no table of sensitivities")
        }
        guard schema == Self.schema else {
            throw FormatError(
                .unsupportedVersion, in: subject, at: 0,
                "is a table of schema \(schema), and \(Self.schema) is needed; "
                    + "without the file the model is measured again")
        }
        guard let modelDigest = json["model"]?.string else {
            throw failure("does not say which model it was measured on")
        }
        origin = Origin(modelDigest: modelDigest, textDigest: json["calibration"]?.string)
        let encodings = Dictionary(
            uniqueKeysWithValues: (BlockEncoding.allCases.map(Encoding.block) + [.scalar(.f16)])
                .map { ($0.description, $0) })
        entries = [:]
        for tensor in tensors {
            guard let name = tensor["name"]?.string, let weights = tensor["weights"]?.integer,
                let factor = tensor["divergence_per_error"]?.double, factor.isFinite, factor >= 0,
                let members = tensor["errors"]?.object
            else { throw failure("a tensor lacks its name, weights, divergence or errors") }
            var errors: [Encoding: Double] = [:]
            for (key, value) in members {
                guard let encoding = encodings[key.string], let error = value.double,
                    error.isFinite, error >= 0
                else {
                    throw failure(
                        "tensor '\(name.escapedForDisplay)': '\(key.escapedForDisplay)' is no error"
                    )
                }
                errors[encoding] = error
            }
            entries[ExactString(name)] = Entry(
                weightCount: weights, divergencePerError: factor, errors: errors)
        }
    }
}
