import ByteIO
import TensorIR

/// What a path asks to be written: its extension decides.
public enum OutputFormat: Sendable, Hashable {
    /// `out.gguf`
    case gguf
    /// `out.safetensors`, with `config.json` and the tokenizer beside it.
    case safetensors
    /// Anything else: a Hugging Face folder with `model.safetensors` (or its shards) in it.
    case folder

    /// - Parameters:
    ///   - path: `out.dtz` names what is in it before its own extension, as in `out.gguf.dtz`, or leaves
    ///     that to `dialect`.
    ///   - dialect: whose names and conventions the content follows where the path does not say.
    public init(path: String, dialect: Checkpoint.Dialect = .gguf) {
        var name = splitPath(path).name.lowercased()
        let isCompressed = OutputFormat.isCompressed(path)
        if isCompressed { name = String(name.dropLast(OutputFormat.compressedExtension.count)) }
        if name.hasSuffix(".gguf") {
            self = .gguf
        } else if name.hasSuffix(".safetensors") {
            self = .safetensors
        } else if isCompressed {
            self = dialect == .gguf ? .gguf : .safetensors
        } else {
            self = .folder
        }
    }

    static let compressedExtension = ".dtz"

    /// Whether a path asks for a DTZ file around what is written.
    public static func isCompressed(_ path: String) -> Bool {
        splitPath(path).name.lowercased().hasSuffix(compressedExtension)
    }

    /// Whose names and conventions the output follows.
    public var dialect: Checkpoint.Dialect { self == .gguf ? .gguf : .huggingFace }
}
