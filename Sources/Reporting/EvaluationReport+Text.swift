import ByteIO
import Evaluation
import Inference

extension EvaluationReport {
    /// The report as a table for a terminal.
    public var tableText: String {
        heading + "\n" + figures.text() + leakageText + notableText + verdicts
    }

    /// A figure, as tables of every kind show it.
    struct Line {
        let name, value: String
        /// llama.cpp's error, which takes tokens for independent: `0.0123`.
        var error: String?
        /// `0.91 to 0.93`.
        var interval: String?
        var unit = ""
    }

    var lines: [Line] {
        var lines: [Line] = []
        func add(
            _ name: String, _ value: Double, _ error: Double? = nil,
            _ interval: ConfidenceInterval? = nil, decimals: Int, unit: String = ""
        ) {
            let spell = { NumberFormatting.fixed($0, decimals: decimals) }
            lines.append(
                Line(
                    name: name, value: spell(value), error: error.map(spell),
                    interval: interval.map { "\(spell($0.lower)) to \(spell($0.upper))" },
                    unit: unit))
        }
        add(
            "perplexity", result.perplexity, result.perplexityStandardError,
            result.perplexityInterval, decimals: 4)
        guard let comparison = result.comparison else { return lines }
        add(
            "perplexity of the reference", comparison.referencePerplexity,
            comparison.referencePerplexityStandardError,
            comparison.referencePerplexityInterval,
            decimals: 4)
        add(
            "perplexity ratio", comparison.perplexityRatio,
            comparison.perplexityRatioStandardError, comparison.perplexityRatioInterval,
            decimals: 4)
        let quantiles = comparison.divergenceQuantiles
        add(
            "KL divergence, mean", comparison.divergence.mean,
            comparison.divergence.standardError, comparison.divergence.interval(), decimals: 6,
            unit: "nats per token")
        for (name, value) in [
            ("median", quantiles.median), ("90 %", quantiles.percentile90),
            ("99 %", quantiles.percentile99), ("99.9 %", quantiles.percentile999),
            ("largest", quantiles.maximum),
        ] { add("KL divergence, \(name)", value, decimals: 6) }
        if let floor = comparison.noiseFloor {
            add(
                "KL divergence, noise floor", floor.divergence, decimals: 9,
                unit: floor.origin == .summation
                    ? "the reference computed twice" : "standard error of what was kept")
        }
        func percent(_ interval: ConfidenceInterval?) -> ConfidenceInterval? {
            interval?.map { $0 * 100 }
        }
        add(
            "same most likely token", comparison.sameTop.mean * 100,
            comparison.sameTop.standardError.map { $0 * 100 },
            percent(comparison.sameTop.interval()), decimals: 3, unit: "%")
        add(
            "difference of probability, mean", comparison.probabilityDifference.mean * 100,
            comparison.probabilityDifference.standardError.map { $0 * 100 },
            percent(comparison.probabilityDifference.interval()), decimals: 3, unit: "%")
        add(
            "difference of probability, RMS",
            comparison.rootMeanSquareProbabilityDifference * 100, nil,
            percent(comparison.rootMeanSquareProbabilityDifferenceInterval), decimals: 3,
            unit: "%")
        return lines
    }

    private var heading: String {
        var table = TextTable(("", .left), ("", .left), ("", .right), ("", .right))
        func add(_ role: String, _ model: ModelSummary) {
            table.add(
                role, model.path.escapedForDisplay, NumberFormatting.byteCount(model.byteCount),
                model.parameterCount > 0
                    ? "\(NumberFormatting.fixed(model.bitsPerWeight, decimals: 2)) bits per weight"
                    : "stored predictions")
        }
        add("model", model)
        if let reference { add("reference", reference) }
        var texts = TextTable(("", .left), ("", .left))
        texts.add("text", textLine)
        texts.add("convention", conventionLine)
        return table.text() + texts.text()
    }

    var textLine: String {
        "\(text.name.escapedForDisplay) (\(NumberFormatting.grouped(text.tokenCount)) tokens)"
    }

    var conventionLine: String {
        "\(result.convention); \(NumberFormatting.grouped(result.tokensScored)) tokens scored in "
            + "\(result.windowCount) \(result.windowCount == 1 ? "window" : "windows")"
            + (precision.note.map { ", \($0)" } ?? "")
    }

    private var figures: TextTable {
        var table = TextTable(
            ("", .left), ("", .right), ("± as llama.cpp", .left), ("95 % interval", .left),
            ("", .left))
        for line in lines {
            table.add(
                line.name, line.value, line.error.map { "± \($0)" } ?? "", line.interval ?? "",
                line.unit)
        }
        return table
    }

    var leakageLine: String? {
        leakage.map { leakage in
            let percent = NumberFormatting.fixed(leakage.overlap.share * 100, decimals: 2)
            return "\(percent) % of the text's words stand in runs of \(TextOverlap.runLength) "
                + "words of the calibration text \(leakage.calibration.escapedForDisplay) too"
                + (leakage.overlap.sharedWordCount == 0
                    ? "" : "; the longest has \(leakage.overlap.longestSharedRun)")
        }
    }

    private var leakageText: String { leakageLine.map { "\noverlap  \($0)\n" } ?? "" }

    /// The worst tokens with the text before them; only where somebody can spell them.
    private var notableText: String {
        guard let spelling, result.comparison != nil, !result.notableTokens.isEmpty else {
            return ""
        }
        var table = TextTable(
            ("worst tokens", .left), ("came", .left), ("divergence", .right),
            ("reference expects", .left), ("model expects", .left))
        for token in result.notableTokens.prefix(5) {
            guard let comparison = token.comparison else { continue }
            func quoted(_ ids: [Int32]) -> String { "'\(spelling(ids).escapedForDisplay)'" }
            table.add(
                "…" + String(spelling(token.context).escapedForDisplay.suffix(32)),
                quoted([token.id]),
                NumberFormatting.fixed(comparison.divergence, decimals: 4),
                quoted([comparison.referenceTop]), quoted([comparison.top]))
        }
        return "\n" + table.text()
    }

    private var verdicts: String {
        gates.isEmpty
            ? "" : "\n" + gates.map { "\($0.isPassed ? "pass" : "FAIL")  \($0)\n" }.joined()
    }
}

extension Precision {
    /// What is said beside figures that did not come about exactly.
    var note: String? { self == .f32 ? nil : "products in \(rawValue)" }
}
