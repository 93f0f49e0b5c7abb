import ByteIO
import Quantization
import Reporting

/// An importance matrix for people, and for programs.
struct ImportanceText {
    private let matrix: ImportanceMatrix
    private let path: String
    private let rows: [Row]

    fileprivate struct Row {
        let name: String
        let entry: ImportanceMatrix.Entry
        let statistics: ImportanceMatrix.Entry.Statistics
        /// To the same tensor of the layer before.
        let similarity: Double?
    }

    init(_ matrix: ImportanceMatrix, path: String) {
        (self.matrix, self.path) = (matrix, path)
        rows = matrix.entries.map { key, entry in
            let before = ImportanceText.nameInLayerBefore(key.string)
                .flatMap { matrix.entries[ExactString($0)] }
            return Row(
                name: key.string, entry: entry, statistics: entry.statistics,
                similarity: before.flatMap(entry.similarity))
        }.sorted {
            let (first, second) = (layer(of: $0.name) ?? -1, layer(of: $1.name) ?? -1)
            return (first, $0.name) < (second, $1.name)
        }
    }

    private static func nameInLayerBefore(_ name: String) -> String? {
        guard let layer = layer(of: name), layer > 0 else { return nil }
        return "blk.\(layer - 1)" + name.dropFirst("blk.\(layer)".count)
    }

    var text: String {
        var heading = TextTable(("", .left), ("", .left))
        heading.add("importance matrix", path.escapedForDisplay)
        heading.add("text", matrix.datasets.map(\.escapedForDisplay).joined(separator: ", "))
        heading.add("windows", "\(matrix.windowCount) of \(matrix.windowSize) tokens")
        heading.add("tensors", String(matrix.entries.count))
        var table = TextTable(
            ("tensor", .left), ("matrices", .right), ("tokens", .right), ("sum", .right),
            ("least", .right), ("greatest", .right), ("mean", .right), ("deviation", .right),
            ("active", .right), ("entropy", .right), ("of most", .right), ("outliers", .right),
            ("likeness", .right))
        for row in rows {
            let figures = row.statistics
            table.add(
                row.name.escapedForDisplay, "\(row.entry.reachedCount)/\(row.entry.counts.count)",
                row.tokens, number(figures.sum), number(figures.least), number(figures.greatest),
                number(figures.mean), number(figures.standardDeviation),
                percent(figures.activeShare), NumberFormatting.fixed(figures.entropy, decimals: 2),
                percent(figures.relativeEntropy), percent(figures.outlierShare),
                row.similarity.map { NumberFormatting.fixed($0, decimals: 4) } ?? "")
        }
        let partial = matrix.partialEntries.map { "partial: \($0)\n" }.joined()
        return heading.text() + "\n" + table.text() + partial
    }

    var json: JSON {
        [
            "schema": 1, "path": .string(path),
            "datasets": .array(matrix.datasets.map(JSON.string)),
            "windows": .integer(matrix.windowCount),
            "tokens_per_window": .integer(matrix.windowSize),
            "tensors": .array(rows.map(\.json)),
        ]
    }

    private func number(_ value: Double) -> String {
        NumberFormatting.fixed(value, decimals: value.magnitude < 100 ? 4 : 1)
    }

    private func percent(_ share: Double) -> String {
        "\(NumberFormatting.fixed(share * 100, decimals: 1)) %"
    }
}

extension ImportanceText.Row {
    /// The tokens of the matrices: one number, or the fewest and the most.
    fileprivate var tokens: String {
        let counts = (entry.counts.min() ?? 0, entry.counts.max() ?? 0)
        func text(_ count: Float) -> String {
            Int(exactly: count.rounded()).map(NumberFormatting.grouped) ?? "\(count)"
        }
        return counts.0 == counts.1 ? text(counts.0) : "\(text(counts.0))–\(text(counts.1))"
    }

    fileprivate var json: JSON {
        var members: JSON.Members = [
            "name": .string(name), "columns": .integer(entry.columns),
            "counts": .array(entry.counts.map { .number(Double($0)) }),
        ]
        let figures: KeyValuePairs = [
            "sum": statistics.sum, "least": statistics.least, "greatest": statistics.greatest,
            "mean": statistics.mean, "standard_deviation": statistics.standardDeviation,
            "active_share": statistics.activeShare, "entropy": statistics.entropy,
            "relative_entropy": statistics.relativeEntropy,
            "outlier_share": statistics.outlierShare,
        ]
        for (key, value) in figures { members[ExactString(key)] = .number(value) }
        if let similarity { members["similarity_to_layer_before"] = .number(similarity) }
        return .object(members)
    }
}

/// The layer that a tensor's name in GGUF counts.
private func layer(of name: String) -> Int? {
    let parts = name.split(separator: ".")
    guard parts.count > 2, parts[0] == "blk" else { return nil }
    return Int(parts[1])
}
