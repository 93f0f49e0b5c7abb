import ByteIO
import GGUFFormat
import SafetensorsFormat
import TensorIR

/// The files of an output before they have their names.
final class PendingOutput: Sendable {
    let sink: any TensorSink
    /// Every file that holds tensors.
    let paths: [String]
    private let documents: [(file: OutputFile, bytes: [UInt8])]

    init(_ plan: ConversionPlan) throws {
        let descriptors = plan.tensors.map(\.target)
        let folder: String
        switch plan.format {
        case .gguf:
            let writer = try GGUFWriter(
                path: plan.outputPath, metadata: plan.metadata, descriptors: descriptors,
                maximumShardByteCount: plan.recipe.maximumShardByteCount)
            (sink, paths) = (writer, writer.paths)
            documents = []
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
        documents = try plan.documents.compactMap { name, bytes in
            let path = "\(folder)/\(name)"
            guard !FileSystem.exists(path) else { return nil }
            return (try OutputFile(path: path), bytes)
        }
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
        for (file, bytes) in documents {
            try file.write(bytes, at: 0)
            try file.commit()
        }
        try sink.finish()
    }
}
