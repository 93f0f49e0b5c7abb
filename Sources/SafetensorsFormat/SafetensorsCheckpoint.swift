import ByteIO
import OrderedCollections
import TensorIR

/// Opens what people call a safetensors model: a folder, a file, an index or one of several shards.
public enum SafetensorsCheckpoint {
    /// The files beside the weights that belong to a model, as Hugging Face names them.
    public static let documentNames = [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
        "tokenizer.model", "vocab.txt", "chat_template.jinja", "quantization_config.json",
        "quantize_config.json",
    ]

    /// Opens a model with all its shards and the documents beside them.
    ///
    /// - Parameter path: a folder, a `.safetensors` file, a `.safetensors.index.json`, or a shard
    ///   such as `model-00001-of-00003.safetensors`, which stands for all of them.
    /// - Returns: the tensors of all shards, each shard's in the order of its file.
    /// - Throws: `FormatError` when a file is damaged or a shard does not hold what the index says,
    ///   `SystemError` when a file cannot be opened.
    public static func open(path: String) throws -> Checkpoint {
        let weights = try weightsPath(for: path)
        let files = try files(at: weights)
        return Checkpoint(
            path: path, dialect: .huggingFace,
            metadata: files.reduce(into: [:]) { merged, file in
                merged.merge(file.metadata) { first, _ in first }
            },
            documents: try documents(beside: weights),
            tensors: files.flatMap(\.tensors),
            files: files.map(\.file.path), byteCount: files.reduce(0) { $0 + $1.file.bytes.count },
            mappedFiles: MappedFiles(files.map(\.file)))
    }

    /// The file to start from: the path itself, or what a folder holds.
    private static func weightsPath(for path: String) throws -> String {
        guard FileSystem.isFolder(path) else { return path }
        let folder = path.hasSuffix("/") ? path : path + "/"
        for name in ["model.safetensors", "model.safetensors.index.json"]
        where FileSystem.exists(folder + name) {
            return folder + name
        }
        // A leading dot marks what is not a model: partial outputs, and what macOS leaves behind.
        let names = try FileSystem.names(inFolder: path).filter {
            $0.hasSuffix(".safetensors") && !$0.hasPrefix(".")
        }
        guard let name = names.first else {
            throw FormatError(
                .missing, in: "folder", at: 0, "holds no .safetensors file", path: path)
        }
        guard names.count == 1 else {
            throw FormatError(
                .missing, in: "model.safetensors.index.json", at: 0,
                "the folder holds \(names.count) .safetensors files and no index of them",
                path: path)
        }
        return folder + name
    }

    private static func files(at path: String) throws -> [SafetensorsFile] {
        if path.hasSuffix(".json") {
            return try files(of: SafetensorsIndex(path: path))
        }
        guard let shard = ShardName(fileName: splitPath(path).name),
            shard.fileExtension == ".safetensors"
        else { return [try SafetensorsFile(path: path)] }

        let index = sibling("\(shard.stem).safetensors.index.json", of: path)
        guard FileSystem.exists(index) else {
            guard shard.count > 1 else { return [try SafetensorsFile(path: path)] }
            // Opened first, so that a damaged or absent shard is named rather than the index.
            _ = try SafetensorsFile(path: path)
            throw FormatError(
                .missing, in: splitPath(index).name.escapedForDisplay, at: 0,
                "this is shard \(shard.number) of \(shard.count), and the index is not beside it",
                path: path)
        }
        return try files(of: SafetensorsIndex(path: index))
    }

    private static func files(of index: SafetensorsIndex) throws -> [SafetensorsFile] {
        var files: [SafetensorsFile] = []
        var owners: [ExactString: String] = [:]
        for name in index.fileNames {
            let path = sibling(name, of: index.path)
            guard FileSystem.exists(path) else {
                throw FormatError(
                    .missing, in: "shard '\(name.escapedForDisplay)'", at: 0,
                    "the index names it, and it is not beside the index", path: index.path)
            }
            let file = try SafetensorsFile(path: path)
            for tensor in file.tensors {
                let key = ExactString(tensor.descriptor.name)
                if let owner = owners.updateValue(name, forKey: key) {
                    throw FormatError(
                        .duplicateName,
                        in: "tensor '\(tensor.descriptor.name.escapedForDisplay)'",
                        at: tensor.offset, "'\(owner.escapedForDisplay)' holds it too", path: path)
                }
            }
            try index.check(file, named: name)
            files.append(file)
        }
        return files
    }

    /// The documents in the folder of a file, by name; none of them has to be there.
    /// - Throws: `SystemError` for one that cannot be read.
    public static func documents(
        beside path: String
    ) throws(SystemError) -> OrderedDictionary<String, [UInt8]> {
        var documents: OrderedDictionary<String, [UInt8]> = [:]
        for name in documentNames {
            let path = sibling(name, of: path)
            guard FileSystem.exists(path), !FileSystem.isFolder(path) else { continue }
            documents[name] = try MappedFile.contents(ofFile: path)
        }
        return documents
    }
}
