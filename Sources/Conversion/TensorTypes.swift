import ByteIO
import TensorIR

/// What a user decides about single tensors of a GGUF, over the mix's rules.
public struct TensorTypes: Sendable, Hashable {
    /// An encoding for the matrices whose names an expression finds.
    public struct Override: Sendable, Hashable {
        /// A regular expression that is searched for in the tensor's GGUF name, in any case.
        public let pattern: String
        public let encoding: Encoding

        public init(pattern: String, encoding: Encoding) {
            (self.pattern, self.encoding) = (pattern, encoding)
        }
    }

    /// The first whose expression matches decides, as in llama.cpp.
    public var overrides: [Override] = []
    /// Of the output matrix, and of an embedding that doubles as one.
    public var output: Encoding?
    /// Of the token embedding.
    public var embedding: Encoding?
    /// Whether every matrix becomes what most do, the output included.
    public var isPure = false
    /// Whether a matrix whose rows are no whole blocks becomes another type; otherwise that is an error.
    public var allowsFallback = true

    public init() {}
}

/// Overrides, compiled, and which of them have found something.
struct OverrideMatcher {
    private let overrides: [(override: TensorTypes.Override, expression: Regex<AnyRegexOutput>)]
    private var isUsed: [Bool]

    /// - Throws: `ModelError` naming an expression that cannot be compiled.
    init(_ overrides: [TensorTypes.Override]) throws {
        self.overrides = try overrides.map { override in
            do {
                return (override, try Regex(override.pattern).ignoresCase())
            } catch {
                throw ModelError(
                    "the expression '\(override.pattern.escapedForDisplay)' of a tensor type cannot be "
                        + "compiled: \(String(describing: error).escapedForDisplay)")
            }
        }
        isUsed = [Bool](repeating: false, count: overrides.count)
    }

    /// The encoding of the first override that matches a matrix.
    mutating func encoding(of name: String) -> Encoding? {
        var found: Encoding?
        for (index, entry) in overrides.enumerated() where name.contains(entry.expression) {
            // One that an earlier one hides has found its tensors all the same.
            isUsed[index] = true
            found = found ?? entry.override.encoding
        }
        return found
    }

    /// Refuses overrides that no matrix matched: they are mistakes in writing.
    func checkAllUsed() throws(ModelError) {
        guard let index = isUsed.firstIndex(of: false) else { return }
        let override = overrides[index].override
        throw ModelError(
            "the tensor type '\(override.pattern.escapedForDisplay)=\(override.encoding)' matches no "
                + "matrix of the model")
    }
}
