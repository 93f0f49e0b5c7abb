import Architectures
import ByteIO
import Conversion
import Quantization
import Reporting
import TensorIR

/// A plan in words, before anything is done.
struct PlanText {
    let text: String

    /// - Parameters:
    ///   - plan: what is about to be done.
    ///   - details: lines for the heading; those without a value are left out.
    init(_ plan: ConversionPlan, details: [(name: String, value: String?)] = []) {
        var heading = TextTable(("", .left), ("", .left))
        let input = ModelSummary(named: plan.input)
        heading.add("model", PlanText.describe(input))
        heading.add("output", plan.outputPath.escapedForDisplay)
        for case (let name, let value?) in details { heading.add(name, value) }

        let targets = plan.tensors.map(\.target)
        var table = ModelSummary.EncodingShare.table(ModelSummary.EncodingShare.shares(of: targets))
        let output = ModelSummary(path: plan.outputPath, byteCount: 0, tensors: targets)
        table.add(
            "all", String(targets.count), NumberFormatting.grouped(output.parameterCount),
            NumberFormatting.byteCount(plan.tensorByteCount),
            NumberFormatting.fixed(output.bitsPerWeight, decimals: 2))
        let gaps = plan.importanceCoverage?.gaps ?? []
        let notes =
            PlanText.fallbacks(plan) + gaps.map { "missing: \($0.escapedForDisplay)\n" }
            + plan.notes.map { "note: \($0)\n" }
        text = heading.text() + "\n" + table.text() + notes.joined()
    }

    private static func describe(_ model: ModelSummary) -> String {
        "\(model.path.escapedForDisplay), \(NumberFormatting.byteCount(model.byteCount)), "
            + "\(NumberFormatting.fixed(model.bitsPerWeight, decimals: 2)) bits per weight"
    }

    /// One line for each way in which tensors could not become what was asked for, with its cost.
    private static func fallbacks(_ plan: ConversionPlan) -> [String] {
        struct Kind: Hashable { let encoding: Encoding, reason: String }
        let kinds = Dictionary(grouping: plan.tensors.filter { $0.fallback != nil }) {
            Kind(encoding: $0.target.encoding, reason: $0.fallback ?? "")
        }
        return kinds.map { kind, tensors in
            let bits = tensors.reduce(0.0) { $0 + Double($1.target.byteCount) * 8 }
            let wanted = tensors.reduce(0.0) {
                $0 + Double($1.target.count) * (plan.recipe.encoding ?? kind.encoding).bitsPerWeight
            }
            let cost = (bits - wanted) / Double(max(1, plan.weightCount))
            return "fallback: \(tensors.count) tensors as \(kind.encoding), \(kind.reason); costs "
                + "\(NumberFormatting.fixed(cost, decimals: 2)) bits per weight of the model\n"
        }.sorted()
    }
}

/// What a conversion did, in words.
struct SummaryText {
    let text: String

    init(_ summary: ConversionSummary, plan: ConversionPlan, elapsed: Duration) {
        let output = ModelSummary(
            path: plan.outputPath, byteCount: summary.byteCount, tensors: plan.tensors.map(\.target)
        )
        let bits = NumberFormatting.fixed(output.bitsPerWeight, decimals: 2)
        var lines = summary.fallbacks.map { "fallback: \($0.escapedForDisplay)" }
        let unreached = Dictionary(grouping: summary.unreachedExperts, by: \.layer)
        lines += unreached.sorted { $0.key < $1.key }.map { layer, experts in
            "fallback: layer \(layer): no calibration token reached expert"
                + "\(experts.count > 1 ? "s" : "") "
                + experts.map { String($0.expert) }.joined(separator: ", ")
                + ": rounded to nearest without statistics"
        }
        if plan.recipe.method == .gptq, !summary.matrices.isEmpty {
            lines.append(SummaryText.errors(summary.matrices.map(\.report)))
        }
        lines.append(
            "wrote \(plan.outputPath.escapedForDisplay): "
                + "\(NumberFormatting.byteCount(summary.byteCount)) "
                + "(\(NumberFormatting.grouped(summary.byteCount)) bytes), \(bits) bits per weight, in "
                + NumberFormatting.duration(elapsed))
        text = lines.map { $0 + "\n" }.joined()
    }

    private static func errors(_ reports: [QuantizationReport]) -> String {
        func mean(_ figure: KeyPath<QuantizationReport, Double>) -> String {
            let mean = reports.reduce(0) { $0 + $1[keyPath: figure] } / Double(reports.count)
            return "\(NumberFormatting.fixed(mean * 100, decimals: 3)) %"
        }
        return "squared error of the matrices' outputs: \(mean(\.relativeError)), had weights been "
            + "rounded to nearest \(mean(\.relativeErrorOfRoundingToNearest))"
    }
}
