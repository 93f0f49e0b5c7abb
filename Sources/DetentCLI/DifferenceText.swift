import ByteIO
import Conversion
import Reporting
import TensorIR

/// What was found between two models, for people and for programs.
struct DifferenceText {
    let difference: ModelDifference
    let models: [ModelSummary]
    /// Tensors to list at most.
    let limit: Int

    var text: String {
        [heading, tensors, unpaired, metadata, tokenizer]
            .filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var heading: String {
        var table = TextTable(("", .left), ("", .left), ("", .right), ("", .right))
        for (label, model) in zip(["first", "second"], models) {
            table.add(
                label, model.path.escapedForDisplay,
                "\(NumberFormatting.grouped(model.byteCount)) bytes",
                "\(NumberFormatting.fixed(model.bitsPerWeight, decimals: 2)) bits per weight")
        }
        return table.text()
    }

    private var tensors: String {
        let changed = difference.tensors.filter { !$0.error.isZero }
        var table = TextTable(
            ("tensor", .left), ("shape", .right), ("first", .left), ("second", .left),
            ("SNR, dB", .right), ("cosine", .right), ("relative error", .right),
            ("largest error", .right), ("at", .left))
        for tensor in changed.prefix(limit) {
            let error = tensor.error
            table.add(
                tensor.first.name.escapedForDisplay, tensor.first.shapeText,
                tensor.first.encoding.description, tensor.second.encoding.description,
                NumberFormatting.fixed(error.signalToNoise, decimals: 2),
                NumberFormatting.fixed(error.cosine, decimals: 6),
                NumberFormatting.fixed(error.relative, decimals: 6),
                NumberFormatting.fixed(error.largest, decimals: 6),
                "row \(error.row), column \(error.column)")
        }
        var text = changed.isEmpty ? "" : table.text()
        if changed.count > limit {
            text += "… and \(changed.count - limit) more that lost less; '--all' lists them\n"
        }
        let equal = difference.tensors.count - changed.count
        return text + "\(equal) of \(difference.tensors.count) tensors have equal weights\n"
    }

    private var unpaired: String {
        var table = TextTable(("tensor", .left), ("first", .left), ("second", .left))
        for entry in difference.unpaired {
            let sides = [entry.first, entry.second].map { side in
                side.map { "\($0.encoding) \($0.shapeText)" } ?? "–"
            }
            table.add([entry.name.escapedForDisplay] + sides)
        }
        return difference.unpaired.isEmpty ? "" : table.text()
    }

    private var metadata: String {
        var table = TextTable(("metadata", .left), ("first", .left), ("second", .left))
        for entry in difference.metadata {
            table.add(
                entry.name.escapedForDisplay, entry.first?.abbreviated ?? "–",
                entry.second?.abbreviated ?? "–")
        }
        return difference.metadata.isEmpty ? "" : table.text()
    }

    private var tokenizer: String {
        switch difference.tokenizer {
        case .same: "the tokenizers encode and decode alike\n"
        case .different(let reason): "the second tokenizer is another: \(reason)\n"
        case .notCompared(let reason): "the tokenizers were not compared: \(reason)\n"
        }
    }

    var json: JSON {
        [
            "schema": 1,
            "first": models[0].json, "second": models[1].json,
            "tensors": .array(
                difference.tensors.map { tensor in
                    let error = tensor.error
                    return [
                        "name": .string(tensor.first.name),
                        "second_name": .string(tensor.second.name),
                        "shape": .array(tensor.first.shape.map(JSON.integer)),
                        "encodings": [
                            .string(tensor.first.encoding.description),
                            .string(tensor.second.encoding.description),
                        ],
                        "equal": .bool(error.isZero),
                        "snr_db": .finite(error.signalToNoise), "cosine": .finite(error.cosine),
                        "relative_error": .finite(error.relative),
                        "largest_error": .finite(error.largest),
                        "largest_error_at": [.integer(error.row), .integer(error.column)],
                    ]
                }),
            "unpaired": .array(
                difference.unpaired.map { entry in
                    [
                        "name": .string(entry.name), "first": .description(of: entry.first),
                        "second": .description(of: entry.second),
                    ]
                }),
            "metadata": .array(
                difference.metadata.map { entry in
                    [
                        "name": .string(entry.name), "first": entry.first?.json ?? .null,
                        "second": entry.second?.json ?? .null,
                    ]
                }),
            "tokenizer": tokenizerJSON,
        ]
    }

    private var tokenizerJSON: JSON {
        switch difference.tokenizer {
        case .same: ["same": true]
        case .different(let reason): ["same": false, "reason": .string(reason)]
        case .notCompared(let reason): ["same": .null, "reason": .string(reason)]
        }
    }
}

extension TensorDescriptor {
    /// Dimensions, outermost first: `576 × 1536`.
    var shapeText: String { shape.map(String.init).joined(separator: " × ") }
}

extension JSON {
    /// A tensor's encoding and shape, or null.
    fileprivate static func description(of tensor: TensorDescriptor?) -> JSON {
        guard let tensor else { return .null }
        return [
            "encoding": .string(tensor.encoding.description),
            "shape": .array(tensor.shape.map(JSON.integer)),
        ]
    }
}
