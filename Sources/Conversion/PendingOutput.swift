import ByteIO
import GGUFFormat
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

    init(_ plan: ConversionPlan) throws {
        let descriptors = plan.tensors.map(\.target)
        let folder: String
        switch plan.format {
        case .gguf:
            let writer = try GGUFWriter(
                path: plan.outputPath, metadata: plan.metadata, descriptors: descriptors,
                maximumShardByteCount: plan.recipe.maximumShardByteCount)
            (sink, paths) = (writer, writer.paths)
            (documents, documentPaths) = ([], [])
            return
        case .safetensors: folder = splitPath(plan.outputPath).folder
        case .folder: folder = plan.outputPath
        }

        try PendingOutput.checkDocuments(plan, in: folder)
        try FileSystem.createFolder(folder)
        let path = plan.format == .folder ? "\(folder)/model.safetensors" : plan.outputPath
        let writer = try GPTQWriter(
            path: path, descriptors: descriptors, metadata: plan.metadata,
            maximumShardByteCount: plan.recipe.maximumShardByteCount)
        (sink, paths) = (writer, writer.paths)
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

    /// What the files say beside their tensors, read back from where they are.
    func checkpointWithoutTensors() throws -> Checkpoint {
        var checkpoint = Checkpoint(path: paths[0], dialect: .huggingFace, tensors: [])
        if let writer = sink as? GGUFWriter {
            checkpoint.dialect = .gguf
            checkpoint.metadata = try writer.writtenMetadata()
        }
        for (name, path) in documentPaths {
            checkpoint.documents[name] = try MappedFile.contents(ofFile: path)
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
    func finish() throws {
        for file in documents { try file.commit() }
        try sink.finish()
    }
}
