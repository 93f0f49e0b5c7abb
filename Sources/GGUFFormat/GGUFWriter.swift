import ByteIO
import TensorIR

/// Writes a GGUF file of version 3, or several in llama.cpp's manner, from tensors that arrive in any
/// order.
///
/// The bytes depend on the metadata, the descriptors and the weights alone; tensors stand in the order
/// given, as llama.cpp demands. Nothing appears under the output's name before `finish()`.
public final class GGUFWriter: TensorSink {
    private let output: ShardedOutput
    private let descriptors: [TensorDescriptor]
    private let headerByteCount: Int
    /// The files that `finish()` makes.
    public let paths: [String]

    /// Lays out the files and creates them under temporary names.
    ///
    /// - Parameters:
    ///   - path: `model.gguf`; several files are called `model-00001-of-00002.gguf` and so on.
    ///   - metadata: written in its order. `general.alignment`, where present, is obeyed.
    ///   - descriptors: in the order of the file.
    ///   - maximumShardByteCount: most tensor bytes per file; nil for a single file.
    /// - Throws: `ModelError` naming what the format cannot hold, `SystemError` when files cannot be
    ///   created.
    public init(
        path: String, metadata: Metadata, descriptors: [TensorDescriptor],
        maximumShardByteCount: Int? = nil
    ) throws {
        try GGUFWriter.check(descriptors)
        let alignment = try GGUFWriter.alignment(metadata)
        let runs = ShardedOutput.runs(
            ofByteCounts: descriptors.map(\.byteCount), maximum: maximumShardByteCount)
        paths = GGUFWriter.paths(for: path, count: runs.count)

        var files: [ShardedOutput.File] = []
        var places: [ShardedOutput.Place] = []
        for (number, run) in runs.enumerated() {
            let tensors = Array(descriptors[run])
            let layout = try GGUFLayout(
                tensors,
                metadata: GGUFSplit.metadata(
                    metadata, part: number, of: runs.count, tensorCount: descriptors.count),
                alignment: alignment)
            files.append(
                ShardedOutput.File(
                    path: paths[number], header: layout.header, byteCount: layout.byteCount))
            places += zip(tensors, layout.offsets).map {
                ShardedOutput.Place(file: number, offset: $1, byteCount: $0.byteCount)
            }
        }
        self.descriptors = descriptors
        headerByteCount = files[0].header.count
        output = try ShardedOutput(files, places: places)
    }

    /// The bytes in front of a single file's tensor data, and the alignment of that data.
    ///
    /// - Parameters:
    ///   - metadata: what the file will state.
    ///   - descriptors: its tensors.
    /// - Returns: both numbers.
    /// - Throws: `ModelError` naming what the format cannot hold.
    public static func header(
        metadata: Metadata, descriptors: [TensorDescriptor]
    ) throws(ModelError) -> (byteCount: Int, alignment: Int) {
        let alignment = try alignment(metadata)
        let layout = try GGUFLayout(descriptors, metadata: metadata, alignment: alignment)
        return (layout.header.count, alignment)
    }

    /// A single file as it would be written.
    package static func layout(
        metadata: Metadata, descriptors: [TensorDescriptor]
    ) throws(ModelError) -> WrittenLayout {
        try check(descriptors)
        let alignment = try alignment(metadata)
        let metadata = try GGUFSplit.metadata(
            metadata, part: 0, of: 1, tensorCount: descriptors.count)
        let layout = try GGUFLayout(descriptors, metadata: metadata, alignment: alignment)
        return WrittenLayout(
            header: layout.header, offsets: layout.offsets, byteCount: layout.byteCount)
    }

    /// Where the files are until `finish()`.
    package var temporaryPaths: [String] { output.temporaryPaths }

    public func write(_ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int) throws {
        try output.write(bytes, tensor: index, at: offset)
    }

    /// Puts other metadata of the same size into a single file, before `finish()`.
    /// - Throws: `SystemError` when the disk refuses.
    public func replaceMetadata(_ metadata: Metadata) throws {
        let header = try GGUFWriter.layout(metadata: metadata, descriptors: descriptors).header
        precondition(paths.count == 1 && header.count == headerByteCount, "the data would move")
        try output.write(header, file: 0, at: 0)
    }

    /// Reads back the metadata that the first file holds, which has no name yet.
    /// - Throws: `FormatError` and `SystemError`, as for any file.
    public func writtenMetadata() throws -> Metadata {
        try GGUFFile(path: output.temporaryPaths[0]).metadata
    }

    /// Gives the files their names.
    /// - Throws: `SystemError` when the disk refuses.
    /// - Precondition: every byte of every tensor has been written.
    public func finish() throws { try output.commit() }

    private static func check(_ descriptors: [TensorDescriptor]) throws(ModelError) {
        var names: Set<ExactString> = []
        for descriptor in descriptors {
            let subject = "tensor '\(descriptor.name.escapedForDisplay)'"
            let nameByteCount = descriptor.name.utf8.count
            guard nameByteCount <= GGUF.maximumTensorNameByteCount else {
                throw ModelError(
                    "\(subject): its name has \(nameByteCount) bytes, "
                        + "the limit of GGUF is \(GGUF.maximumTensorNameByteCount)")
            }
            guard descriptor.shape.count <= GGUF.maximumDimensionCount else {
                throw ModelError(
                    "\(subject): has \(descriptor.shape.count) dimensions, "
                        + "the limit of GGUF is \(GGUF.maximumDimensionCount)")
            }
            guard names.insert(ExactString(descriptor.name)).inserted else {
                throw ModelError("\(subject): the name stands twice")
            }
        }
    }

    /// The alignment that the metadata demand, once they are known to be writable.
    private static func alignment(_ metadata: Metadata) throws(ModelError) -> Int {
        for key in metadata.keys where key.isEmpty || key.utf8.count > GGUF.maximumKeyByteCount {
            throw ModelError(
                "metadata '\(key.escapedForDisplay)': a key of GGUF has 1 to "
                    + "\(GGUF.maximumKeyByteCount) bytes")
        }
        guard let value = metadata[GGUF.alignmentKey] else { return GGUF.defaultAlignment }
        guard let alignment = GGUFHeader.alignment(value) else {
            throw ModelError("metadata '\(GGUF.alignmentKey)': must be a uint32 and a power of two")
        }
        return alignment
    }

    private static func paths(for path: String, count: Int) -> [String] {
        guard count > 1 else { return [path] }
        let name = splitPath(path).name
        let stem = name.hasSuffix(".gguf") ? String(name.dropLast(".gguf".count)) : name
        return (1...count).map {
            let shard = ShardName(stem: stem, number: $0, count: count, fileExtension: ".gguf")
            return sibling(shard.fileName, of: path)
        }
    }
}

/// The bytes before the data of one file, and where each tensor goes.
struct GGUFLayout {
    let header: [UInt8]
    /// Where each tensor starts, in bytes from the start of the file.
    let offsets: [Int]
    /// The padding behind the last tensor included, as llama.cpp writes it.
    let byteCount: Int

    init(
        _ tensors: [TensorDescriptor], metadata: Metadata, alignment: Int
    ) throws(ModelError) {
        var starts: [Int] = []
        var cursor = 0
        for tensor in tensors {
            starts.append(cursor)
            let (end, overflow) = cursor.addingReportingOverflow(tensor.byteCount)
            guard !overflow, let next = GGUF.aligned(end, to: alignment), next < Int.max / 2 else {
                throw ModelError("tensor '\(tensor.name.escapedForDisplay)': the file is too large")
            }
            cursor = next
        }
        header = try GGUFSerializer.header(
            metadata: metadata, tensors: tensors, offsets: starts, alignment: alignment)
        let dataOffset = header.count
        offsets = starts.map { dataOffset + $0 }
        byteCount = dataOffset + cursor
    }
}
