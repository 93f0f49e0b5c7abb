import ByteIO
import DTZFormat
import GGUFFormat
import OrderedCollections
import SafetensorsFormat
import TensorIR

/// What a container keeps of the files that a model came in, so that they can be made again byte for
/// byte.
enum OriginalFiles {
    private static let indexExtension = ".safetensors.index.json"

    /// Whether a document says which shard holds which tensor.
    static func isIndex(_ name: String) -> Bool { name.hasSuffix(indexExtension) }

    /// The documents of a plan, among which an index stands only where it names what is written.
    static func documents(
        of plan: ConversionPlan
    ) throws(FormatError) -> OrderedDictionary<String, [UInt8]> {
        let own = plan.format == .folder ? "model.safetensors" : splitPath(plan.outputPath).name
        let names = Set(paths(of: plan)?.map { splitPath($0).name } ?? [own])
        var documents = plan.documents
        for (name, bytes) in plan.documents where isIndex(name) {
            if try SafetensorsIndex.fileNames(bytes) != names { documents[name] = nil }
        }
        return documents
    }

    /// The model with all that a DTZ file keeps of it: the parts of its files that their writers would make
    /// otherwise, and the index of shards.
    static func adding(to checkpoint: Checkpoint) throws -> Checkpoint {
        guard checkpoint.originals.isEmpty, let files = checkpoint.takenApart() else {
            return checkpoint
        }
        var result = checkpoint
        if files.count != 1 || !isDerivable(files[0], of: checkpoint) {
            result.originals = files
        }
        guard checkpoint.dialect == .huggingFace, let path = checkpoint.files.first else {
            return result
        }
        for name in try FileSystem.names(inFolder: splitPath(path).folder)
        where isIndex(name) && !name.hasPrefix(".") {
            let bytes = try MappedFile.contents(ofFile: sibling(name, of: path))
            if try SafetensorsIndex.fileNames(bytes) == Set(files.map(\.name)) {
                result.documents[name] = bytes
            }
        }
        return result
    }

    /// Whether the writer of the file's format makes the same file from what the checkpoint says.
    private static func isDerivable(_ file: OriginalFile, of checkpoint: Checkpoint) -> Bool {
        let descriptors = checkpoint.tensors.map(\.descriptor)
        let layout: WrittenLayout
        do {
            layout =
                checkpoint.dialect == .gguf
                ? try GGUFWriter.layout(metadata: checkpoint.metadata, descriptors: descriptors)
                : try SafetensorsWriter.layout(
                    descriptors: descriptors, metadata: checkpoint.metadata)
        } catch {
            // What the writer refuses to write it does not write in the same way.
            return false
        }
        guard layout.byteCount == file.byteCount,
            file.places.allSatisfy({ layout.offsets[$0.tensor] == $0.offset })
        else { return false }
        let gaps = file.gaps(byteCounts: descriptors.map(\.byteCount))
        guard let header = gaps.first, header.offset == 0,
            header.bytes.elementsEqual(layout.header)
        else { return false }
        return gaps.dropFirst().allSatisfy { $0.bytes.allSatisfy { $0 == 0 } }
    }

    /// The paths at which a plan makes the original files again; nil where it makes others.
    static func paths(of plan: ConversionPlan) -> [String]? {
        let files = plan.input.originals
        guard plan.model == nil, !files.isEmpty, plan.recipe.maximumShardByteCount == nil,
            plan.tensors.count == plan.input.tensors.count
        else { return nil }
        let path = plan.outputPath
        if plan.format == .folder { return files.map { "\(path)/\($0.name)" } }
        guard files.count > 1 else { return [path] }
        // Parts find each other by name, so that one of them names all.
        guard let part = ShardName(fileName: splitPath(path).name), part.count == files.count else {
            return nil
        }
        return (1...files.count).map { sibling(part.with(number: $0).fileName, of: path) }
    }
}
