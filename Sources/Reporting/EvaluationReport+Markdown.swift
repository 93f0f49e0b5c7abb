import ByteIO

extension EvaluationReport {
    /// The report as Markdown, fit for a comment on a pull request: the verdict first, then the figures.
    public var markdownText: String {
        ([title] + [gateTable, figureTable, notes].compactMap { $0 }).joined(separator: "\n")
    }

    private var title: String {
        let name = model.path.escapedForMarkdown
        let size =
            "\(NumberFormatting.byteCount(model.byteCount)), "
            + "\(NumberFormatting.fixed(model.bitsPerWeight, decimals: 2)) bits per weight"
        let verdict =
            gates.isEmpty
            ? ""
            : failedGates.isEmpty
                ? "passes: " : "**fails \(failedGates.count) of its gates**: "
        return "### \(name)\n\n\(verdict)\(size)\n"
    }

    private var gateTable: String? {
        guard !gates.isEmpty else { return nil }
        let rows = gates.map { gate in
            let spell = { NumberFormatting.fixed($0, decimals: gate.decimals) }
            let interval =
                gate.interval.map { "\(spell($0.lower)) to \(spell($0.upper))" } ?? "exact"
            let verdict =
                gate.isPassed ? gate.isWithinError ? "pass, within the error" : "pass" : "**FAIL**"
            return "| `\(gate.name)` | \(gate.figure) | \(spell(gate.value)) | \(interval) | "
                + "\(gate.direction.rawValue) \(spell(gate.bound)) | \(verdict) |\n"
        }
        return """
            | gate | figure | value | 95 % interval | must be | |
            |---|---|--:|---|---|---|
            \(rows.joined())
            """
    }

    private var figureTable: String? {
        let rows = lines.map { line in
            let value = line.value + (line.unit.isEmpty ? "" : " \(line.unit)")
            return "| \(line.name) | \(value) | \(line.interval ?? "") |\n"
        }
        return """
            | figure | value | 95 % interval |
            |---|--:|---|
            \(rows.joined())
            """
    }

    private var notes: String? {
        var notes = ["Text: \(textLine.escapedForMarkdown). Convention: \(conventionLine)."]
        if let reference {
            notes.append(
                "Reference: \(reference.path.escapedForMarkdown), "
                    + "\(NumberFormatting.byteCount(reference.byteCount)).")
        }
        if let leakageLine { notes.append(leakageLine.escapedForMarkdown + ".") }
        return notes.joined(separator: " ") + "\n"
    }
}

extension String {
    /// The text without anything that Markdown or the HTML within it would take for its own.
    var escapedForMarkdown: String {
        var result = ""
        for scalar in escapedForDisplay.unicodeScalars {
            if "\\`*_{}[]<>()#!|~@&".unicodeScalars.contains(scalar) { result += "\\" }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}
