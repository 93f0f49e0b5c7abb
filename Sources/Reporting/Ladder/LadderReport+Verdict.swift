import Evaluation

extension LadderReport {
    /// What is taken for little lost, when one copy has to be named: perplexity may rise by this share, and this share
    /// of the most likely tokens must stay. Perplexity alone would not do: it may fall while predictions change.
    static let (smallLoss, keptTokens) = (0.05, 0.85)

    /// The smallest quantized copy of which it is certain that it loses little, or else the closest one.
    var choice: (entry: Entry, isGood: Bool)? {
        let copies = entries.filter { $0.method != nil }
        let good = copies.filter {
            ($0.figures.ratioInterval?.upper ?? $0.figures.ratio) <= 1 + Self.smallLoss
                && ($0.figures.sameTopInterval?.lower ?? $0.figures.sameTop) >= Self.keptTokens
        }
        let smallest = good.min {
            ($0.tensorByteCount, $0.figures.divergence)
                < ($1.tensorByteCount, $1.figures.divergence)
        }
        let closest = copies.min { $0.figures.divergence < $1.figures.divergence }
        return smallest.map { ($0, true) } ?? closest.map { ($0, false) }
    }

    /// What copies are measured against in size: the one in half precision, or else the reference.
    var fullSize: (name: String, byteCount: Int) {
        entries.first { $0.type == "f16" }.map { ("F16", $0.byteCount) }
            ?? ("the reference", reference.byteCount)
    }

    /// The report in a sentence or two.
    public var verdict: [String] {
        guard let (entry, isGood) = choice else { return [] }
        let percent = { NumberFormatting.fixed($0 * 100, decimals: 0) + " %" }
        let bounds =
            "surely costs less than \(percent(Self.smallLoss)) of perplexity and keeps "
            + "\(percent(Self.keptTokens)) of the most likely tokens"
        let smaller = NumberFormatting.fixed(
            Double(fullSize.byteCount) / Double(max(1, entry.byteCount)), decimals: 1)
        let row = LadderRow(entry, of: self)
        let name = [entry.type.uppercased(), entry.method.map { "by \($0)" }]
            .compactMap(\.self).joined(separator: " ")
        let facts =
            "\(smaller) times smaller than \(fullSize.name), perplexity \(row.change)"
            + (row.changeInterval.isEmpty ? "" : " (95 %: \(row.changeInterval))")
            + ", the same most likely token \(row.sameTop) of the time."
        var sentences = [
            isGood
                ? "\(name) is the smallest copy that \(bounds): \(facts)"
                : "No copy \(bounds); \(name) is the closest: \(facts)"
        ]
        sentences += methodComparison.map { [$0] } ?? []
        return sentences
    }

    /// By how much the best method's divergence is below that of rounding to nearest, over the types that both
    /// have.
    private var methodComparison: String? {
        let plain = entries.filter { $0.method == "rtn" }
        var comparisons: [(method: String, factors: [Double])] = []
        for method in ["gptq", "awq", "awq+gptq"] {
            let factors = plain.compactMap { rtn in
                entries.first { $0.type == rtn.type && $0.method == method }.flatMap { other in
                    other.figures.divergence > SizePlot.leastDivergence
                        ? rtn.figures.divergence / other.figures.divergence : nil
                }
            }
            if !factors.isEmpty { comparisons.append((method, factors)) }
        }
        func mean(_ factors: [Double]) -> Double {
            factors.reduce(0, +) / Double(factors.count)
        }
        guard let best = comparisons.max(by: { mean($0.factors) < mean($1.factors) }),
            let least = best.factors.min(), let most = best.factors.max(), least > 1
        else { return nil }
        let spell = { NumberFormatting.significant($0, digits: 2) }
        let range = best.factors.count > 1 ? "\(spell(least)) to \(spell(most))" : spell(least)
        return "At the same type, \(best.method) diverges \(range) times less than rtn."
    }
}

/// An entry's figures as tables show them.
struct LadderRow {
    let type, method, size, share, bits: String
    let perplexity, perplexityInterval: String
    /// Of perplexity against the reference's, in percent.
    let change, changeInterval: String
    let divergence, divergenceInterval, percentile99: String
    let sameTop, sameTopInterval: String

    init(_ entry: LadderReport.Entry, of report: LadderReport) {
        let figures = entry.figures
        (type, method) = (entry.type.uppercased(), entry.method ?? "")
        size = NumberFormatting.byteCount(entry.byteCount)
        share =
            NumberFormatting.fixed(
                100 * Double(entry.byteCount) / Double(max(1, report.fullSize.byteCount)),
                decimals: 0) + " %"
        bits = NumberFormatting.fixed(figures.bitsPerWeight, decimals: 2)
        let plain = { NumberFormatting.fixed($0, decimals: $0 < 100 ? 3 : 1) }
        perplexity = plain(figures.perplexity)
        perplexityInterval = Self.range(figures.perplexityInterval, plain)
        let percent = { (value: Double) in Self.change(value, near: figures.ratio) }
        change = percent(figures.ratio) + " %"
        let interval = Self.range(figures.ratioInterval, percent)
        changeInterval = interval.isEmpty ? "" : interval + " %"
        let small = {
            max(0, $0) < SizePlot.leastDivergence
                ? "0" : NumberFormatting.significant($0, digits: 3)
        }
        divergence = small(figures.divergence)
        divergenceInterval = Self.range(figures.divergenceInterval, small)
        percentile99 = small(figures.divergencePercentile99)
        let share = { NumberFormatting.fixed($0 * 100, decimals: 2) }
        sameTop = share(figures.sameTop) + " %"
        let tokens = Self.range(figures.sameTopInterval, share)
        sameTopInterval = tokens.isEmpty ? "" : tokens + " %"
    }

    /// A ratio as a change in percent: `+1.43`, with digits that suit the change that it stands beside.
    private static func change(_ ratio: Double, near middle: Double) -> String {
        let decimals = abs(middle - 1) < 0.01 ? 3 : abs(middle - 1) < 0.1 ? 2 : 1
        let text = NumberFormatting.fixed((ratio - 1) * 100, decimals: decimals)
        if text.allSatisfy({ "-0.".contains($0) }) { return "0" }
        return text.hasPrefix("-") ? "−" + text.dropFirst() : "+" + text
    }

    private static func range(
        _ interval: ConfidenceInterval?, _ spell: (Double) -> String
    ) -> String {
        guard let interval else { return "" }
        let (lower, upper) = (spell(interval.lower), spell(interval.upper))
        // What is the same to the last digit shown has no width to speak of.
        return lower == upper ? "" : "\(lower) to \(upper)"
    }
}
