import Evaluation

/// What pages of a ladder say, in words and tables, whatever they are written in.
struct LadderContent {
    let report: LadderReport

    var title: String { "\(report.model.name.escapedForDisplay), quantized" }

    var rows: [LadderRow] { report.entries.map { LadderRow($0, of: report) } }

    /// `detent-tiny, 3,672,320 weights, 7.01 MiB, 16.00 bits per weight`
    func describe(_ source: LadderReport.Source) -> String {
        "\(source.name.escapedForDisplay), \(NumberFormatting.grouped(source.parameterCount)) weights, "
            + "\(NumberFormatting.byteCount(source.byteCount)), "
            + "\(NumberFormatting.fixed(source.bitsPerWeight, decimals: 2)) bits per weight"
    }

    /// What a reader must know to read the figures: names and their meaning.
    var conventions: [(name: String, text: String)] {
        var list: [(String, String)] = []
        if let figures = report.entries.first?.figures {
            list.append(
                (
                    "Text",
                    "\(report.text.name.escapedForDisplay), "
                        + "\(NumberFormatting.grouped(report.text.tokenCount)) tokens; "
                        + "\(NumberFormatting.grouped(figures.tokensScored)) scored in "
                        + "\(NumberFormatting.grouped(figures.windowCount)) windows, "
                        + "\(report.convention)"
                        + (report.windowLimit.map { ", the first \($0) windows at most" } ?? "")
                ))
            let plain = NumberFormatting.fixed(figures.referencePerplexity, decimals: 3)
            list.append(
                (
                    "Reference",
                    "\(describe(report.reference)); perplexity \(plain). Every file was read back and run "
                        + "beside it."
                ))
        }
        if let calibration = report.calibration {
            let windows =
                "\(NumberFormatting.grouped(calibration.windowCount)) windows of "
                + "\(calibration.length) tokens"
            list.append(
                (
                    "Calibration",
                    "\(calibration.name.escapedForDisplay), "
                        + (calibration.seed.map { "\(windows) drawn with seed \($0)" }
                            ?? "the first \(windows)") + leakage
                ))
        }
        return list + Self.definitions
    }

    private var leakage: String {
        guard
            let leakage = report.entries.compactMap({ $0.evaluation["leakage"] }).first,
            let share = leakage["share"]?.double, share.isFinite,
            let run = leakage["run_length"]?.integer
        else { return "" }
        return
            "; \(NumberFormatting.fixed(share * 100, decimals: 2)) % of the evaluation's words stand in "
            + "runs of \(run) words of it"
    }

    private static let definitions = [
        (
            "Change",
            "of perplexity, from the reference's on the same tokens: a paired difference, in which the "
                + "text's own noise cancels."
        ),
        (
            "KL",
            "Kullback and Leibler's divergence of a copy's predictions from the reference's, in nats per "
                + "token: the mean, and the value that one token in a hundred exceeds (99 %)."
        ),
        (
            "Same token",
            "the share of tokens at which both find the same one most likely."
        ),
        (
            "Intervals",
            "95 %, with the windows of the text as the unit: where the figure of more text like this one "
                + "would lie."
        ),
        ("Bits", "of all tensors over all weights; a file's vocabulary does not count."),
    ]

    /// A claim with everything measured about it; claims without any are left out.
    var claims:
        [(claim: Claim, rows: [(title: String, change: String, sameTop: String, verdict: String)])]
    {
        Claim.all.compactMap { claim in
            let rows = report.entries.compactMap { entry in
                claim.verdict(on: entry).map { verdict in
                    let row = LadderRow(entry, of: report)
                    let interval = row.changeInterval.isEmpty ? "" : " (\(row.changeInterval))"
                    return (
                        title: entry.title, change: row.change + interval,
                        sameTop: row.sameTop, verdict: verdict.rawValue
                    )
                }
            }
            return rows.isEmpty ? nil : (claim, rows)
        }
    }

    /// What is missing, and what people should know about single files.
    var remarks: [String] {
        report.omissions.map {
            "\($0.type.uppercased()) \($0.method): not made, \($0.reason)".escapedForDisplay
        }
            + report.entries.flatMap { entry in
                entry.notes.map { "\(entry.title): \($0)".escapedForDisplay }
            }
    }

    /// What was measured where, with what.
    var facts: [(name: String, text: String)] {
        var facts = [("detent", report.version.escapedForDisplay)]
        facts += report.environment.map { ($0.key.escapedForDisplay, $0.value.escapedForDisplay) }
        facts.append(("model, SHA-256", report.model.digest))
        if report.reference.digest != report.model.digest {
            facts.append(("reference, SHA-256", report.reference.digest))
        }
        facts.append(("text, SHA-256", report.text.digest))
        if let calibration = report.calibration {
            facts.append(("calibration, SHA-256", calibration.digest))
        }
        return facts
    }

    /// Seconds that it took, of entries that say so.
    func time(_ entry: LadderReport.Entry) -> String {
        [("made", entry.quantizingSeconds), ("measured", entry.evaluatingSeconds)]
            .compactMap { name, seconds in
                seconds.map { "\(name) in \(NumberFormatting.duration(.seconds(min($0, 1e9))))" }
            }.joined(separator: ", ")
    }

    var checkCommand: String { "detent report check FOLDER --model \(report.model.name)" }
}
