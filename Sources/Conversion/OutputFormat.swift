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

    public init(path: String) {
        let name = splitPath(path).name.lowercased()
        if name.hasSuffix(".gguf") {
            self = .gguf
        } else if name.hasSuffix(".safetensors") {
            self = .safetensors
        } else {
            self = .folder
        }
    }

    /// Whose names and conventions the output follows.
    public var dialect: Checkpoint.Dialect { self == .gguf ? .gguf : .huggingFace }
}
