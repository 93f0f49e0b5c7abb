import ByteIO
import TensorIR

/// Opens a GGUF model: one file, or all parts of a split one by the path of any of them.
public enum GGUFCheckpoint {
    /// Opens a model with all its parts.
    ///
    /// - Parameter path: a `.gguf` file, or one part such as `model-00001-of-00005.gguf`.
    /// - Returns: the tensors of all parts, and the first part's metadata without the keys that join
    ///   them.
    /// - Throws: `FormatError` when a file is damaged or a part is missing or belongs elsewhere,
    ///   `SystemError` when a file cannot be opened.
    public static func open(path: String) throws -> Checkpoint {
        let opened = try GGUFFile(path: path)
        let parts = try parts(beside: opened)
        let metadata = parts[0].metadata
        return Checkpoint(
            path: path, dialect: .gguf,
            metadata: parts.count > 1 ? GGUFSplit.withoutKeys(metadata) : metadata,
            tensors: parts.flatMap(\.tensors),
            files: parts.map(\.file.path), byteCount: parts.reduce(0) { $0 + $1.file.bytes.count },
            mappedFiles: MappedFiles(parts.map(\.file)))
    }

    private static func parts(beside opened: GGUFFile) throws -> [GGUFFile] {
        let path = opened.file.path
        guard let claimed = opened.metadata[GGUFSplit.countKey]?.integer, claimed > 1 else {
            return [opened]
        }
        // The parts find each other by name alone, so a name that disagrees is a part astray.
        guard let name = ShardName(fileName: splitPath(path).name), name.count == claimed else {
            throw FormatError(
                .inconsistent, in: "'\(GGUFSplit.countKey)'", at: 0,
                "the model has \(claimed) parts; this one must be named like "
                    + "'model-00001-of-00005.gguf', or the others cannot be found", path: path)
        }
        var parts: [GGUFFile] = []
        var names: Set<ExactString> = []
        for number in 1...name.count {
            let part = try part(name.with(number: number), of: opened)
            for tensor in part.tensors
            where !names.insert(ExactString(tensor.descriptor.name)).inserted {
                throw FormatError(
                    .duplicateName, in: "tensor '\(tensor.descriptor.name.escapedForDisplay)'",
                    at: tensor.offset, "another part holds it too", path: part.file.path)
            }
            parts.append(part)
        }
        if let expected = opened.metadata[GGUFSplit.tensorCountKey]?.integer,
            expected != names.count
        {
            throw FormatError(
                .inconsistent, in: "'\(GGUFSplit.tensorCountKey)'", at: 0,
                "says \(expected), the \(parts.count) parts hold \(names.count)", path: path)
        }
        return parts
    }

    private static func part(_ name: ShardName, of opened: GGUFFile) throws -> GGUFFile {
        let path = sibling(name.fileName, of: opened.file.path)
        guard FileSystem.exists(path) else {
            throw FormatError(
                .missing, in: "part '\(name.fileName.escapedForDisplay)'", at: 0,
                "the model has \(name.count) parts, and this one is not beside the others",
                path: opened.file.path)
        }
        let part = path == opened.file.path ? opened : try GGUFFile(path: path)
        for (key, expected) in [
            (GGUFSplit.numberKey, name.number - 1), (GGUFSplit.countKey, name.count),
        ] {
            let value = part.metadata[key]?.integer
            guard value == expected else {
                throw FormatError(
                    value == nil ? .missing : .inconsistent, in: "'\(key)'", at: 0,
                    "must be \(expected) in a part of this name"
                        + (value.map { ", is \($0)" } ?? ""),
                    path: path)
            }
        }
        return part
    }
}
