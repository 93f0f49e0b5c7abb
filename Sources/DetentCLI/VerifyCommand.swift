import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Reporting

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read all of a model, and hold it against its digests.",
        usage: "detent verify [<options>] [<model>]",
        discussion: """
            A .dtz file states checksums of its chunks and digests of its tensors: all are \
            checked, and what is damaged is named. Files of other formats state none; their \
            structure is checked. The digest that is printed is that of names, types, shapes \
            and weights, the same for the same tensors in a file of any format.

              detent verify model.dtz
              detent verify model.safetensors --digest 0f343b0931126a20f133d67c2b018a3b…
            """)

    @Argument(
        help: "The model to read; without it, the one that comes with Detent.",
        completion: .file())
    var model: String?

    @Option(
        help: ArgumentHelp(
            "The model that a .dtz file holds the difference from, unless it lies beside it.",
            valueName: "model"),
        completion: .file())
    var base: String?

    @Option(help: ArgumentHelp("The digest that the tensors must have.", valueName: "sha256"))
    var digest: String?

    @Flag(
        help: """
            Check the checksums of a .dtz file's chunks alone, at the speed at which they are decoded.
            """)
    var quick = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var work: WorkOptions

    func validate() throws {
        if quick, digest != nil {
            throw ValidationError("'--quick' takes no digest; leave out one of them.")
        }
        if let digest, digest.count != 64 || !digest.allSatisfy(\.isHexDigit) {
            throw ValidationError("'--digest' is a SHA-256 of 64 hexadecimal digits.")
        }
    }

    func run() throws {
        let path = model ?? BundledData.defaultModelPath
        let start = ContinuousClock.now
        let found = try Verification(
            path, base: base, isQuick: quick, threadCount: work.threads, progress: work.progress)
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let summary = ModelSummary(named: found.checkpoint)
        try StandardStream.output.write(
            json ? jsonText(found, summary, elapsed) : text(found, summary))
        var damage = found.damage
        if let digest, let actual = found.contentDigest, digest.lowercased() != actual {
            damage.append("the digest of the tensors is \(actual), not \(digest.lowercased())")
        }
        guard damage.isEmpty else { throw GateFailure(messages: damage) }
    }

    private func text(_ found: Verification, _ summary: ModelSummary) -> String {
        var table = TextTable(("", .left), ("", .left))
        table.add("model", summary.path.escapedForDisplay)
        table.add("size", "\(NumberFormatting.grouped(summary.byteCount)) bytes")
        table.add("tensors", NumberFormatting.grouped(found.checkpoint.tensors.count))
        if !quick { table.add("digest", found.contentDigest ?? "none: there is damage") }
        return table.text()
    }

    private func jsonText(
        _ found: Verification, _ summary: ModelSummary, _ elapsed: Double
    ) -> String {
        let json: JSON = [
            "schema": 1, "model": .string(summary.path), "bytes": .integer(summary.byteCount),
            "tensors": .integer(found.checkpoint.tensors.count),
            "digest": found.contentDigest.map(JSON.string) ?? .null,
            "seconds": .number(elapsed),
            "damage": .array(found.damage.map(JSON.string)),
        ]
        return json.text(indentation: 2) + "\n"
    }
}
