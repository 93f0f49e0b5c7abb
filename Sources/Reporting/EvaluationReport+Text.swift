import ByteIO
import Evaluation

extension EvaluationReport {
    /// The report as a table for a terminal.
    public var tableText: String {
        heading + "\n" + figures.text() + verdicts
    }

    private var heading: String {
        var table = TextTable(("", .left), ("", .left), ("", .right), ("", .right))
        func add(_ role: String, _ model: ModelSummary) {
            table.add(
                role, model.path.escapedForDisplay, NumberFormatting.byteCount(model.byteCount),
                "\(NumberFormatting.fixed(model.bitsPerWeight, decimals: 2)) bits per weight")
        }
        add("model", model)
        if let reference { add("reference", reference) }
        var texts = TextTable(("", .left), ("", .left))
        texts.add(
            "text", "\(text.escapedForDisplay) (\(NumberFormatting.grouped(textTokenCount)) tokens)"
        )
        texts.add(
            "convention",
            "\(result.convention); \(NumberFormatting.grouped(result.tokensScored)) tokens scored in "
                + "\(result.windowCount) \(result.windowCount == 1 ? "window" : "windows")")
        return table.text() + texts.text()
    }

    private var figures: TextTable {
        var table = TextTable(("", .left), ("", .right), ("", .left), ("", .left))
        func add(
            _ name: String, _ value: Double, _ error: Double?, decimals: Int, unit: String = ""
        ) {
            let spell = { NumberFormatting.fixed($0, decimals: decimals) }
            table.add(name, spell(value), error.map { "± \(spell($0))" } ?? "", unit)
        }
        add("perplexity", result.perplexity, result.perplexityStandardError, decimals: 4)
        guard let comparison = result.comparison else { return table }
        add(
            "perplexity of the reference", comparison.referencePerplexity,
            comparison.referencePerplexityStandardError, decimals: 4)
        add(
            "perplexity ratio", comparison.perplexityRatio,
            comparison.perplexityRatioStandardError, decimals: 4)
        let quantiles = comparison.divergenceQuantiles
        add(
            "KL divergence, mean", comparison.divergence.mean,
            comparison.divergence.standardError, decimals: 6, unit: "nats per token")
        add("KL divergence, median", quantiles.median, nil, decimals: 6)
        add("KL divergence, 90 %", quantiles.percentile90, nil, decimals: 6)
        add("KL divergence, 99 %", quantiles.percentile99, nil, decimals: 6)
        add("KL divergence, largest", quantiles.maximum, nil, decimals: 6)
        add(
            "same most likely token", comparison.sameTop.mean * 100,
            comparison.sameTop.standardError.map { $0 * 100 }, decimals: 3, unit: "%")
        return table
    }

    private var verdicts: String {
        gates.isEmpty
            ? "" : "\n" + gates.map { "\($0.isPassed ? "pass" : "FAIL")  \($0)\n" }.joined()
    }
}
