import ByteIO
import Conversion
import DTZFormat
import Evaluation

extension KeptReference {
    /// Predictions that were kept in a file; nil for a file or folder that holds a model.
    ///
    /// - Parameter path: what its first bytes say that it is, it must be.
    /// - Throws: `SystemError` for what cannot be read, `FormatError` naming file, field and byte.
    init?(path: String) throws {
        guard !FileSystem.isFolder(path) else { return nil }
        let file = try MappedFile(path: path)
        if file.withBytes(LogitDump.looksLike) {
            try self.init(LogitDump(path: path))
            return
        }
        guard file.withBytes(DTZFile.looksLike) else { return nil }
        let checkpoint = try ModelFile.container(path)
        guard StoredReference.isStored(in: checkpoint) else { return nil }
        do {
            try self.init(StoredReference(checkpoint))
        } catch let error as FormatError {
            throw error.inFile(path)
        }
    }
}

/// A file of predictions that is being made.
enum ReferenceOutput {
    case stored(StoredReferenceRecorder, path: String)
    case dump(LogitDumpWriter)

    /// - Parameters:
    ///   - path: with '.dtz' at its end the compact layout is written, else that of llama.cpp.
    ///   - windows: tokens as the text gives them.
    ///   - vocabularySize: of the model.
    /// - Throws: `SystemError` when the file cannot be made.
    init(
        path: String, windows: [EvaluationWindow], vocabularySize: Int
    ) throws(SystemError) {
        guard path.hasSuffix(".dtz") else {
            self = .dump(
                try LogitDumpWriter(
                    path: path, windows: windows.map(\.ids), vocabularySize: vocabularySize))
            return
        }
        self = .stored(StoredReferenceRecorder(vocabularySize: vocabularySize), path: path)
    }

    var recorder: any RowRecorder {
        switch self {
        case .stored(let recorder, _): recorder
        case .dump(let writer): writer
        }
    }

    /// Gives the file its name.
    ///
    /// - Parameters:
    ///   - windows: as they went through the model.
    ///   - context: tokens in each.
    /// - Throws: `SystemError` when the disk refuses.
    func finish(windows: [EvaluationWindow], context: Int) throws {
        switch self {
        case .stored(let recorder, let path):
            let reference = recorder.finish(windows: windows, context: context)
            var options = DTZOptions()
            options.level = 19
            try DTZWriter.write(reference.checkpoint, to: path, options: options)
        case .dump(let writer): try writer.finish()
        }
    }
}
