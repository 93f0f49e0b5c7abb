import ByteIO
import DTZFormat
import GGUFFormat
import OrderedCollections
import ProgressReporting
import SafetensorsFormat
import TensorIR

/// The files of an output before they have their names.
final class PendingOutput: Sendable {
    let sink: any TensorSink
    /// Every file that holds tensors.
    let paths: [String]
    private let documents: [OutputFile]
    /// Where each document can be read now: under its temporary name, or its own where it was there
    /// before.
    private let documentPaths: [(name: String, path: String)]
    /// What goes into a DTZ file beside the tensors; nil for other outputs.
    private let compressed: OrderedDictionary<String, [UInt8]>?

    init(_ plan: ConversionPlan) throws {
        let descriptors = plan.tensors.map(\.target)
        guard !plan.isCompressed else {
            // What a DTZ file is to hold lies in a file of its own first, for tensors come in any order.
            (documents, documentPaths) = ([], [])
            paths = [plan.outputPath]
            compressed = plan.documents
            sink =
                plan.format == .gguf
                ? try GGUFWriter(
                    path: plan.outputPath, metadata: plan.metadata, descriptors: descriptors)
                : try GPTQWriter(
                    path: plan.outputPath, descriptors: descriptors, metadata: plan.metadata,
                    maximumShardByteCount: nil)
            return
        }
        compressed = nil
        let folder: String
        switch plan.format {
        case .gguf:
            (documents, documentPaths) = ([], [])
            (sink, paths) = try PendingOutput.gguf(plan, descriptors)
            return
        case .safetensors: folder = splitPath(plan.outputPath).folder
        case .folder: folder = plan.outputPath
        }

        try PendingOutput.checkDocuments(plan, in: folder)
        try FileSystem.createFolder(folder)
        let path = plan.format == .folder ? "\(folder)/model.safetensors" : plan.outputPath
        if let originals = try PendingOutput.originals(plan, descriptors) {
            (sink, paths) = (originals, originals.paths)
        } else {
            let writer = try GPTQWriter(
                path: path, descriptors: descriptors, metadata: plan.metadata,
                maximumShardByteCount: plan.recipe.maximumShardByteCount)
            (sink, paths) = (writer, writer.paths)
        }
        var documents: [OutputFile] = []
        var documentPaths: [(String, String)] = []
        for (name, bytes) in plan.documents {
            let path = "\(folder)/\(name)"
            guard !FileSystem.exists(path) else {
                documentPaths.append((name, path))
                continue
            }
            let file = try OutputFile(path: path)
            try file.write(bytes, at: 0)
            documents.append(file)
            documentPaths.append((name, file.temporaryPath))
        }
        (self.documents, self.documentPaths) = (documents, documentPaths)
    }

    private static func gguf(
        _ plan: ConversionPlan, _ descriptors: [TensorDescriptor]
    ) throws -> (any TensorSink, [String]) {
        if let originals = try originals(plan, descriptors) { return (originals, originals.paths) }
        let writer = try GGUFWriter(
            path: plan.outputPath, metadata: plan.metadata, descriptors: descriptors,
            maximumShardByteCount: plan.recipe.maximumShardByteCount)
        return (writer, writer.paths)
    }

    /// A writer of the files that a container kept, where the plan makes these again.
    private static func originals(
        _ plan: ConversionPlan, _ descriptors: [TensorDescriptor]
    ) throws -> OriginalFileWriter? {
        guard let paths = OriginalFiles.paths(of: plan) else { return nil }
        return try OriginalFileWriter(
            zip(paths, plan.input.originals).map { ($0, $1) },
            byteCounts: descriptors.map(\.byteCount))
    }

    /// What the files say beside their tensors, read back from where they are.
    func checkpointWithoutTensors() throws -> Checkpoint {
        var checkpoint = Checkpoint(path: paths[0], dialect: .huggingFace, tensors: [])
        if let writer = sink as? GGUFWriter {
            checkpoint.dialect = .gguf
            checkpoint.metadata = try writer.writtenMetadata()
        }
        checkpoint.documents = compressed ?? [:]
        for (name, path) in documentPaths {
            checkpoint.documents[name] = try MappedFile.contents(ofFile: path)
        }
        return checkpoint
    }

    /// What a DTZ file is to hold, from where it is now; nil for other outputs.
    private func content() throws -> Checkpoint? {
        guard let compressed else { return nil }
        var checkpoint = Checkpoint(
            path: paths[0], dialect: .huggingFace, documents: compressed, tensors: [])
        if let writer = sink as? GGUFWriter {
            let file = try GGUFFile(path: writer.temporaryPaths[0])
            (checkpoint.metadata, checkpoint.tensors) = (file.metadata, file.tensors)
            checkpoint.dialect = .gguf
        } else if let writer = sink as? GPTQWriter {
            let file = try SafetensorsFile(path: writer.temporaryPaths[0])
            (checkpoint.metadata, checkpoint.tensors) = (file.metadata, file.tensors)
        }
        return checkpoint
    }

    /// A document of another model must not be overwritten, nor be taken for this one's.
    private static func checkDocuments(_ plan: ConversionPlan, in folder: String) throws {
        for (name, bytes) in plan.documents {
            let path = "\(folder)/\(name)"
            guard FileSystem.exists(path) else { continue }
            guard try MappedFile.contents(ofFile: path) == bytes else {
                throw ModelError(
                    "'\(path.escapedForDisplay)' exists and belongs to another model; "
                        + "write to a folder of its own")
            }
        }
    }

    /// Gives everything its name: documents first, so that weights never stand without them.
    func finish(_ recipe: Recipe, progress: some ProgressSink) throws {
        if let content = try content() {
            return try DTZWriter.write(
                content, to: paths[0], options: recipe.dtzOptions, progress: progress)
        }
        for file in documents { try file.commit() }
        try sink.finish()
    }
}
