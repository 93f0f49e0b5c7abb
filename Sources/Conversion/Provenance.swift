import ByteIO
import Dispatch
import Kernels
import Synchronization
import TensorIR

/// Where an output comes from, as its metadata say: enough to make the same bytes again.
///
/// Specified in Formats/GGUF/SPECIFICATION.md. Values are strings, so that safetensors files hold them too.
public struct Provenance: Sendable, Hashable {
    /// Of the package that made the output.
    public var version: String
    /// What was asked for: options of `quantize` by their names, as one line of JSON.
    public var recipe: String
    /// What the source was called, without its folder.
    public var sourceName: String
    /// Digests of what went in, by what it is: `source`, `calibration`, `imatrix`.
    public var digests: [String: String]

    public init(version: String, recipe: String, sourceName: String, digests: [String: String]) {
        (self.version, self.recipe) = (version, recipe)
        (self.sourceName, self.digests) = (sourceName, digests)
    }

    /// The inputs that may have digests.
    private static let inputs = ["source", "calibration", "imatrix", "sensitivity"]

    /// Where a digest of the source stands.
    static let sourceDigestKey: ExactString = "detent.source.sha256"
    /// As many digits as a digest has, where it is not known yet.
    public static let missingDigest = String(repeating: "0", count: 64)

    static let keys: [ExactString] =
        ["detent.version", "detent.recipe", "detent.source.name"]
        + inputs.map { ExactString("detent.\($0).sha256") }

    /// - Returns: nil where the metadata tell of no recipe.
    public init?(_ metadata: Metadata) {
        guard let version = metadata["detent.version"]?.string,
            let recipe = metadata["detent.recipe"]?.string
        else { return nil }
        self.init(
            version: version, recipe: recipe,
            sourceName: metadata["detent.source.name"]?.string ?? "", digests: [:])
        for input in Self.inputs {
            digests[input] = metadata[ExactString("detent.\(input).sha256")]?.string
        }
    }

    public var metadata: Metadata {
        var metadata: Metadata = [
            "detent.version": .string(version), "detent.recipe": .string(recipe),
            "detent.source.name": .string(sourceName),
        ]
        for input in Self.inputs {
            metadata[ExactString("detent.\(input).sha256")] = digests[input].map { .string($0) }
        }
        return metadata
    }
}

extension Checkpoint {
    /// A digest of everything in the checkpoint, wherever it lies.
    ///
    /// Of a single file it is the SHA-256 of its bytes. Of several files (weights, and the documents beside
    /// them) it is that of the lines `<SHA-256 of the file>  <name>` in the order of the names, which
    /// `sha256sum` prints.
    /// - Throws: `SystemError` for a file that cannot be read.
    public func contentDigest() throws -> String {
        var digests = try files.map { path in
            (splitPath(path).name, ContentDigest.sha256(try MappedFile(path: path)))
        }
        if digests.count == 1, documents.isEmpty { return digests[0].1 }
        digests += documents.map { ($0.key, ContentDigest.sha256($0.value)) }
        let lines = digests.sorted { $0.0 < $1.0 }.map { "\($0.1)  \($0.0)\n" }
        return ContentDigest.sha256(Array(lines.joined().utf8))
    }
}

/// The digest of a source, which is found on a thread of its own while a plan is made and carried out.
///
/// Of a quarter of a gigabyte it takes longer than all that one thread does before there is work for two.
public final class SourceDigest: Sendable {
    private let result = Mutex<Result<String, any Error>?>(nil)
    private let group = DispatchGroup()
    private let find: @Sendable () throws -> String

    /// - Parameters:
    ///   - source: what the digest is of.
    ///   - threadCount: with one thread, the digest is found when it is asked for.
    public init(of source: Checkpoint, threadCount: Int?) {
        find = { try source.contentDigest() }
        guard Workers(threadCount: threadCount).threadCount > 1 else { return }
        DispatchQueue.global().async(group: group) { self.keep() }
    }

    private func keep() {
        let found = Result { try find() }
        result.withLock { $0 = found }
    }

    /// Waits for the digest.
    /// - Throws: `SystemError` for a file that cannot be read.
    func value() throws -> String {
        group.wait()
        if let found = result.withLock(\.self) { return try found.get() }
        return try find()
    }
}
