import ByteIO
import GGUFFormat
import SafetensorsFormat
import TensorIR
import Tokenization

/// Opens models of any supported format.
public enum ModelFile {
    /// Opens a GGUF file, a safetensors file or a Hugging Face folder.
    ///
    /// What a file is, its first bytes decide, not its name.
    /// - Throws: `SystemError` for what cannot be read, `FormatError` naming file, field and byte.
    public static func open(_ path: String) throws -> Checkpoint {
        if FileSystem.isFolder(path) { return try openFolder(path) }
        if try MappedFile(path: path).withBytes(GGUFFile.looksLike) {
            return try GGUFCheckpoint.open(path: path)
        }
        if path.hasSuffix(".gguf") {
            throw FormatError(
                .inconsistent, in: "magic", at: 0, "the file does not start with 'GGUF'", path: path
            )
        }
        return try QuantizedCheckpoint.gathered(SafetensorsCheckpoint.open(path: path))
    }

    /// The files that a tokenizer is read from, the first that is there.
    private static let tokenizerNames = [
        "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt",
    ]

    /// Opens a model's tokenizer, for which the weights need not be there.
    /// - Parameter path: what `open` takes, a folder with a `tokenizer.json`, a `tokenizer.model`, a
    ///   `vocab.json` with `merges.txt` or a `vocab.txt`, or such a file itself.
    /// - Returns: the tokenizer, ready for text.
    /// - Throws: what `open` throws, and `ModelError` for a tokenizer that is not supported.
    public static func tokenizer(_ path: String) throws -> Tokenizer {
        let candidates =
            FileSystem.isFolder(path)
            ? tokenizerNames.map { "\(path)/\($0)" }
            : tokenizerNames.contains(splitPath(path).name) ? [path] : []
        guard let file = candidates.first(where: FileSystem.exists) else {
            return try Tokenizer(checkpoint: open(path))
        }
        var documents = try SafetensorsCheckpoint.documents(beside: file)
        // Whoever names a file means that one, not a better one beside it.
        for name in tokenizerNames where name != splitPath(file).name {
            if !FileSystem.isFolder(path) { documents[name] = nil }
        }
        return try Tokenizer(
            checkpoint: Checkpoint(
                path: path, dialect: .huggingFace, documents: documents, tensors: []))
    }

    private static func openFolder(_ path: String) throws -> Checkpoint {
        let names = try FileSystem.names(inFolder: path)
        let ggufs = names.filter { $0.hasSuffix(".gguf") }
        guard !ggufs.isEmpty, !names.contains(where: { $0.hasSuffix(".safetensors") }) else {
            return try QuantizedCheckpoint.gathered(SafetensorsCheckpoint.open(path: path))
        }
        guard ggufs.count == 1 || ggufs[0].contains("-00001-of-") else {
            throw ModelError(
                "'\(path.escapedForDisplay)' holds \(ggufs.count) GGUF files; name one of them")
        }
        return try GGUFCheckpoint.open(path: "\(path)/\(ggufs[0])")
    }
}
