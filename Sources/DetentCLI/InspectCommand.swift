import ArgumentParser
import BundledData
import ByteIO
import Conversion
import OrderedCollections
import Reporting
import TensorIR

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what is in a model: metadata, tensors, encodings, sizes.",
        usage: "detent inspect [<options>] [<model>]",
        discussion: """
            With '--weights', every tensor's weights are read as well: their distribution, and \
            those that lie far out, which cost a grid most of its resolution.

              detent inspect out.gguf
              detent inspect out.gguf --json
              detent inspect SmolLM2-135M --weights
            """)

    @Argument(help: "The model to look into; without it, the one that comes with Detent.")
    var model: String?

    @Flag(help: "Print JSON, with every element of the metadata's arrays.")
    var json = false

    @Flag(help: "Read all weights: a histogram and the outliers of each tensor.")
    var weights = false

    @OptionGroup var work: WorkOptions

    func run() throws {
        let checkpoint = try ModelFile.open(model ?? BundledData.defaultModelPath)
        let distributions =
            weights
            ? try checkpoint.weightDistributions(
                threadCount: work.threads, progress: work.progress) : nil
        let inspection = Inspection(checkpoint, distributions: distributions)
        try StandardStream.output.write(
            json ? inspection.json.text(indentation: 2) + "\n" : inspection.text)
    }
}

/// A checkpoint laid out for reading.
private struct Inspection {
    let checkpoint: Checkpoint
    let summary: ModelSummary
    /// Of each tensor, where weights were looked at.
    let distributions: [WeightDistribution?]?

    init(_ checkpoint: Checkpoint, distributions: [WeightDistribution?]?) {
        (self.checkpoint, summary) = (checkpoint, ModelSummary(named: checkpoint))
        self.distributions = distributions
    }

    private var dialectName: String {
        (checkpoint.isInDTZ ? "DTZ, of " : "")
            + (checkpoint.dialect == .gguf ? "GGUF" : "Hugging Face (safetensors)")
    }

    var text: String {
        var heading = TextTable(("", .left), ("", .left))
        heading.add("model", summary.path.escapedForDisplay)
        heading.add("format", dialectName)
        heading.add(
            "size",
            "\(NumberFormatting.byteCount(summary.byteCount)) "
                + "(\(NumberFormatting.grouped(summary.byteCount)) bytes)")
        heading.add("weights", NumberFormatting.grouped(summary.parameterCount))
        heading.add("bits per weight", NumberFormatting.fixed(summary.bitsPerWeight, decimals: 4))
        if !checkpoint.documents.isEmpty {
            heading.add("documents", checkpoint.documents.keys.joined(separator: ", "))
        }

        var metadata = TextTable(("", .left), ("", .left))
        for (key, value) in checkpoint.metadata {
            metadata.add(key.escapedForDisplay, value.abbreviated)
        }
        var tensors = TextTable(
            ("tensor", .left), ("shape", .right), ("encoding", .left), ("size", .right))
        for tensor in checkpoint.tensors.map(\.descriptor) {
            tensors.add(
                tensor.name.escapedForDisplay,
                tensor.shapeText,
                tensor.encoding.description, NumberFormatting.byteCount(tensor.byteCount))
        }
        return [
            heading.text(), metadata.text(), tensors.text(),
            ModelSummary.EncodingShare.table(summary.encodings).text(),
            distributions.map { WeightDistributionText(checkpoint, $0).text } ?? "",
        ].filter { !$0.isEmpty }.joined(separator: "\n")
    }

    var json: JSON {
        var members: JSON.Members = ["schema": 1]
        members.merge(summary.json.object ?? [:]) { $1 }
        members["format"] = .string(checkpoint.dialect == .gguf ? "gguf" : "safetensors")
        members["compressed"] = .bool(checkpoint.isInDTZ)
        members["metadata"] = .object(checkpoint.metadata.mapValues(\.json))
        members["documents"] = .array(checkpoint.documents.keys.map(JSON.string))
        members["encodings"] = .array(summary.encodings.map(\.json))
        members["tensors"] = .array(
            checkpoint.tensors.indices.map { index in
                let tensor = checkpoint.tensors[index].descriptor
                var members: JSON.Members = [
                    "name": .string(tensor.name),
                    "shape": .array(tensor.shape.map(JSON.integer)),
                    "encoding": .string(tensor.encoding.description),
                    "bytes": .integer(tensor.byteCount),
                ]
                if let distributions { members["weights"] = distributions[index]?.json ?? .null }
                return .object(members)
            })
        return .object(members)
    }
}
