import ByteIO
import DTZFormat
import GGUFFormat
import SafetensorsFormat
import TensorIR
import Tokenization

/// Opens models of any supported format.
public enum ModelFile {
    /// Opens a GGUF, safetensors or DTZ file or a Hugging Face folder.
    ///
    /// What a file is, its first bytes decide, not its name.
    ///
    /// - Parameters:
    ///   - path: the file or folder.
    ///   - isRun: whether the model is to be run: weights that had to be decompressed stay in memory then.
    /// - Returns: the model, under the names of the file.
    /// - Throws: `SystemError` for what cannot be read, `FormatError` naming file, field and byte.
    public static func open(_ path: String, isRun: Bool = false) throws -> Checkpoint {
        try gathered(container(path, isRun: isRun))
    }

    /// What `container` opened, as `open` gives it: with the tensors of a quantized matrix as one, and without
    /// an index of shards.
    /// - Throws: `ModelError` for a quantized matrix that is incomplete.
    public static func gathered(_ container: Checkpoint) throws -> Checkpoint {
        guard container.dialect == .huggingFace else { return container }
        var checkpoint = container
        for name in checkpoint.documents.keys where OriginalFiles.isIndex(name) {
            checkpoint.documents[name] = nil
        }
        return try QuantizedCheckpoint.gathered(checkpoint)
    }

    /// Opens the same as it lies in its files: tensors that together are one quantized matrix stay apart.
    ///
    /// - Parameters:
    ///   - path: what `open` takes.
    ///   - base: the model that a DTZ file holds the difference from; by default the one beside it of the
    ///     name that the file states.
    ///   - isRun: as for `open`.
    /// - Returns: the model, under the names and in the encodings of the files.
    /// - Throws: as `open` does.
    public static func container(
        _ path: String, base: String? = nil, isRun: Bool = false
    ) throws -> Checkpoint {
        if FileSystem.isFolder(path) { return try openFolder(path, isRun: isRun) }
        if let file = try dtz(path, base: base, isRun: isRun) { return try file.checkpoint() }
        if try MappedFile(path: path).withBytes(GGUFFile.looksLike) {
            return try GGUFCheckpoint.open(path: path)
        }
        for (name, fault) in [
            (".gguf", "the file does not start with 'GGUF'"), (".dtz", "the file is not DTZ"),
        ] where path.hasSuffix(name) {
            throw FormatError(.inconsistent, in: "magic", at: 0, fault, path: path)
        }
        return try SafetensorsCheckpoint.open(path: path)
    }

    /// Opens a DTZ file, or returns nil for what is none.
    static func dtz(
        _ path: String, base: String? = nil, isSalvaged: Bool = false, isRun: Bool = false
    ) throws -> DTZFile? {
        guard try MappedFile(path: path).withBytes(DTZFile.looksLike) else { return nil }
        return try DTZFile(path: path, isSalvaged: isSalvaged, keepsDecoded: isRun) { name in
            // A file must not be able to lead the reader elsewhere: its base lies beside it, unless the
            // user says where.
            let place = base ?? sibling(splitPath(name).name, of: path)
            guard FileSystem.exists(place) else {
                throw ModelError(
                    "'\(path.escapedForDisplay)' holds the difference from "
                        + "'\(name.escapedForDisplay)', which is not beside it")
            }
            return try container(place)
        }
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

    private static func openFolder(_ path: String, isRun: Bool) throws -> Checkpoint {
        let names = try FileSystem.names(inFolder: path)
        guard !names.contains(where: { $0.hasSuffix(".safetensors") }) else {
            return try SafetensorsCheckpoint.open(path: path)
        }
        for (kind, fileExtension) in [("GGUF", ".gguf"), ("DTZ", ".dtz")] {
            let files = names.filter { $0.hasSuffix(fileExtension) && !$0.hasPrefix(".") }
            guard !files.isEmpty else { continue }
            guard files.count == 1 || files[0].contains("-00001-of-") else {
                throw ModelError(
                    "'\(path.escapedForDisplay)' holds \(files.count) \(kind) files; name one of "
                        + "them")
            }
            return try container("\(path)/\(files[0])", isRun: isRun)
        }
        return try SafetensorsCheckpoint.open(path: path)
    }
}

extension Checkpoint {
    /// Whether tensors lie in a DTZ file.
    public var isInDTZ: Bool { tensors.contains { $0 is DTZTensor } }
}
