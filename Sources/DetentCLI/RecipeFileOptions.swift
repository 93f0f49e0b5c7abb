import ArgumentParser
import ByteIO
import Conversion
import TensorIR

/// Options that stand for others.
struct RecipeFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A YAML file with these options by their names, and 'model'; those of the command line win.",
            valueName: "file"),
        completion: .file())
    var recipe: String?

    @Option(
        help: ArgumentHelp(
            "Make an output of this command again, with the same bytes; model, texts and output may lie elsewhere.",
            valueName: "output"),
        completion: .file())
    var replay: String?

    @Flag(
        help: """
            Leave out of the output what it was made of, some 500 bytes: recipe and digests. It cannot be \
            replayed then.
            """)
    var noProvenance = false

    /// The metadata of an output that is made again, once everything that goes into it is known to be what
    /// it was.
    ///
    /// - Throws: `ModelError` naming what differs.
    static func checked(_ provenance: Provenance, against path: String) throws -> Metadata {
        let recorded = try Provenance.required(in: path)
        let name = path.escapedForDisplay
        guard recorded.version == provenance.version else {
            throw ModelError(
                "'\(name)' was made by Detent \(recorded.version.escapedForDisplay), this is "
                    + "\(provenance.version): the bytes could differ")
        }
        for (input, digest) in recorded.digests.sorted(by: { $0.key < $1.key })
        where provenance.digests[input] != digest {
            throw ModelError(
                "the \(input) is not what '\(name)' was made with: its SHA-256 is "
                    + "\(provenance.digests[input] ?? "missing"), not \(digest.escapedForDisplay)")
        }
        var metadata = recorded.metadata
        // A name that comes from the source's folder stays what it was.
        metadata["general.name"] = try ModelFile.open(path).metadata["general.name"]
        return metadata
    }
}

extension RecipeOptions {
    /// The options that decide what an output is: files by their names, lists of types in full.
    func recorded(with recipe: Recipe) -> RecipeOptions {
        var recorded = self
        recorded.paths = []
        for name in OptionTable.incidental.union(OptionTable.outside) {
            recorded.values[name] = nil
        }
        for name in OptionTable.files {
            guard case .value(let path)? = values[name] else { continue }
            recorded.values[name] = .value(splitPath(path).name)
        }
        let overrides = recipe.types.overrides.map { "\($0.pattern)=\($0.encoding)" }
        recorded.values["tensor-type-file"] = nil
        recorded.values["tensor-type"] =
            overrides.count > 1 ? .values(overrides) : overrides.first.map { .value($0) }
        return recorded
    }
}
