import ByteIO
import OrderedCollections
import TensorIR

/// Writes a safetensors file, or several with an index, from tensors that arrive in any order.
///
/// The bytes depend on the descriptors, the metadata and the weights alone. Nothing appears under the
/// output's name before `finish()`.
public final class SafetensorsWriter: TensorSink {
    private let output: ShardedOutput
    /// The index and its text, where there are several files.
    private let index: (file: OutputFile, text: [UInt8])?
    /// The single file of the same name, which several files replace.
    private let superseded: String?
    /// The files that `finish()` makes, those with tensors first.
    public let paths: [String]

    /// Lays out the files and creates them under temporary names.
    ///
    /// - Parameters:
    ///   - path: `model.safetensors`; several files are called `model-00001-of-00002.safetensors` and so
    ///     on, with `model.safetensors.index.json` beside them.
    ///   - descriptors: in the order in which shards are filled. Inside a file the order is that of the
    ///     reference implementation.
    ///   - metadata: `__metadata__`; strings only.
    ///   - maximumShardByteCount: most tensor bytes per file; nil for a single file.
    /// - Throws: `ModelError` naming what the format cannot hold, `SystemError` when files cannot be
    ///   created.
    public init(
        path: String, descriptors: [TensorDescriptor],
        metadata: Metadata = ["format": .string("pt")],
        maximumShardByteCount: Int? = nil
    ) throws {
        try SafetensorsWriter.check(descriptors)
        let header = try SafetensorsWriter.header(metadata)
        let runs = ShardedOutput.runs(
            ofByteCounts: descriptors.map(\.byteCount), maximum: maximumShardByteCount)
        let names = SafetensorsWriter.names(for: path, count: runs.count)

        var files: [ShardedOutput.File] = []
        var places: [ShardedOutput.Place] = []
        for (number, run) in runs.enumerated() {
            let layout = try SafetensorsLayout(Array(descriptors[run]), metadata: header)
            files.append(
                ShardedOutput.File(
                    path: sibling(names[number], of: path), header: layout.header,
                    byteCount: layout.byteCount))
            places += zip(descriptors[run], layout.offsets).map {
                ShardedOutput.Place(file: number, offset: $1, byteCount: $0.byteCount)
            }
        }
        output = try ShardedOutput(files, places: places)
        guard runs.count > 1 else {
            (index, superseded, paths) = (nil, nil, [path])
            return
        }
        let indexPath = SafetensorsWriter.indexPath(for: path)
        let text = SafetensorsWriter.indexText(descriptors, runs: runs, names: names)
        index = (try OutputFile(path: indexPath), text)
        superseded = path
        paths = files.map(\.path) + [indexPath]
    }

    /// A single file as it would be written.
    package static func layout(
        descriptors: [TensorDescriptor], metadata: Metadata
    ) throws(ModelError) -> WrittenLayout {
        try check(descriptors)
        let layout = try SafetensorsLayout(descriptors, metadata: header(metadata))
        return WrittenLayout(
            header: layout.header, offsets: layout.offsets, byteCount: layout.byteCount)
    }

    /// Where the files are until `finish()`.
    package var temporaryPaths: [String] { output.temporaryPaths }

    public func write(_ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int) throws {
        try output.write(bytes, tensor: index, at: offset)
    }

    /// Gives the files their names, the index last: whoever finds it finds what it names.
    /// - Throws: `SystemError` when the disk refuses.
    /// - Precondition: every byte of every tensor has been written.
    public func finish() throws {
        try output.commit()
        guard let index else { return }
        try index.file.write(index.text, at: 0)
        try index.file.commit()
        // A single file left from an earlier run would be loaded in place of the index.
        if let superseded, FileSystem.exists(superseded) { try FileSystem.remove(superseded) }
    }

    private static func check(_ descriptors: [TensorDescriptor]) throws(ModelError) {
        var names: Set<ExactString> = []
        for descriptor in descriptors {
            let subject = "tensor '\(descriptor.name.escapedForDisplay)'"
            guard case .scalar = descriptor.encoding else {
                throw ModelError("\(subject): safetensors cannot hold \(descriptor.encoding)")
            }
            guard descriptor.name != SafetensorsHeader.metadataKey else {
                throw ModelError("\(subject): safetensors reserves this name")
            }
            guard names.insert(ExactString(descriptor.name)).inserted else {
                throw ModelError("\(subject): the name stands twice")
            }
        }
    }

    private static func header(_ metadata: Metadata) throws(ModelError) -> JSON? {
        guard !metadata.isEmpty else { return nil }
        var members: JSON.Members = [:]
        for (key, value) in metadata {
            guard let string = value.string else {
                throw ModelError(
                    "metadata '\(key.escapedForDisplay)': safetensors holds only strings")
            }
            members[key] = .string(string)
        }
        return .object(members)
    }

    private static func names(for path: String, count: Int) -> [String] {
        let name = splitPath(path).name
        guard count > 1 else { return [name] }
        let stem = stem(of: name)
        return (1...count).map {
            ShardName(stem: stem, number: $0, count: count, fileExtension: ".safetensors").fileName
        }
    }

    private static func indexPath(for path: String) -> String {
        sibling("\(stem(of: splitPath(path).name)).safetensors.index.json", of: path)
    }

    private static func stem(of name: String) -> String {
        name.hasSuffix(".safetensors") ? String(name.dropLast(".safetensors".count)) : name
    }

    private static func indexText(
        _ descriptors: [TensorDescriptor], runs: [Range<Int>], names: [String]
    ) -> [UInt8] {
        var map: JSON.Members = [:]
        for (run, name) in zip(runs, names) {
            for descriptor in descriptors[run] { map[descriptor.name] = .string(name) }
        }
        map.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        // Each file's layout has proven that the sizes of its tensors add up; files are few.
        let total = descriptors.reduce(0) { $0 &+ $1.byteCount }
        let json: JSON = [
            "metadata": ["total_size": .integer(total)], "weight_map": .object(map),
        ]
        return json.bytes(indentation: 2) + [UInt8(ascii: "\n")]
    }
}
