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
              detent inspect out.gguf
              detent inspect out.gguf --json
            """)

    @Argument(help: "The model to look into; without it, the one that comes with Detent.")
    var model: String?

    @Flag(help: "Print JSON, with every element of the metadata's arrays.")
    var json = false

    func run() throws {
        let checkpoint = try ModelFile.open(model ?? BundledData.defaultModelPath)
        let inspection = Inspection(checkpoint)
        try StandardStream.output.write(
            json ? inspection.json.text(indentation: 2) + "\n" : inspection.text)
    }
}

/// A checkpoint laid out for reading.
private struct Inspection {
    let checkpoint: Checkpoint
    let summary: ModelSummary

    init(_ checkpoint: Checkpoint) {
        (self.checkpoint, summary) = (checkpoint, ModelSummary(named: checkpoint))
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
            checkpoint.tensors.map(\.descriptor).map {
                [
                    "name": .string($0.name),
                    "shape": .array($0.shape.map(JSON.integer)),
                    "encoding": .string($0.encoding.description),
                    "bytes": .integer($0.byteCount),
                ]
            })
        return .object(members)
    }
}
