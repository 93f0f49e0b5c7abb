import BundledData
import ByteIO
import TensorIR

/// A text to calibrate with or to evaluate on: a file, or one that comes with Detent.
struct CorpusText {
    /// What reports call it.
    let name: String
    /// The file without its folder, or what the bundled corpus is called.
    let fileName: String
    let bytes: [UInt8]

    /// SHA-256 of the bytes, in hexadecimal.
    var digest: String { ContentDigest.sha256(bytes) }

    static let defaultCalibration = "general"
    static let defaultEvaluation = "general-held-out"

    /// - Parameter nameOrPath: a file's path; or, where there is no such file, a bundled corpus.
    /// - Throws: `SystemError` when there is neither, or the file cannot be read.
    init(_ nameOrPath: String) throws {
        let isFile = FileSystem.exists(nameOrPath)
        guard !isFile, !nameOrPath.contains("/"),
            let paths = try CorpusText.files(ofCorpus: nameOrPath)
        else {
            (name, fileName) = (nameOrPath, splitPath(nameOrPath).name)
            bytes = try MappedFile.contents(ofFile: nameOrPath)
            return
        }
        (name, fileName) = ("\(nameOrPath) (bundled)", nameOrPath)
        bytes = try paths.flatMap { path throws(SystemError) in
            try MappedFile.contents(ofFile: BundledData.corpusPath(path))
        }
    }

    /// Whether a corpus of that name comes with Detent.
    static func isBundled(_ name: String) throws -> Bool { try files(ofCorpus: name) != nil }

    /// The files of a corpus, as the manifest lists them, or nil where it lists no such corpus.
    private static func files(ofCorpus name: String) throws -> [String]? {
        let path = BundledData.corpusPath("Manifest.json")
        let manifest = try JSON(
            parsing: MappedFile.contents(ofFile: path), subject: "Manifest.json")
        let corpus = manifest["corpora"]?.array?.first { $0["name"]?.string == name }
        return corpus?["files"]?.array?.compactMap { $0["path"]?.string }
    }
}
