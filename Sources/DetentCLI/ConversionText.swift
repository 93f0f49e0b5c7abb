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
    ///   - listsTensors: whether every tensor is named with what it becomes.
    init(
        _ plan: ConversionPlan, details: [(name: String, value: String?)] = [],
        listsTensors: Bool = false
    ) {
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
        let list = listsTensors ? PlanText.tensors(plan) + "\n" : ""
        text = heading.text() + "\n" + list + table.text() + notes.joined()
    }

    private static func tensors(_ plan: ConversionPlan) -> String {
        var table = TextTable(
            ("tensor", .left), ("shape", .right), ("from", .left), ("to", .left), ("size", .right))
        for tensor in plan.tensors {
            table.add(
                tensor.target.name.escapedForDisplay,
                tensor.target.shape.map(String.init).joined(separator: " × "),
                tensor.source.descriptor.encoding.description,
                tensor.target.encoding.description + (tensor.fallback == nil ? "" : " (fallback)"),
                NumberFormatting.byteCount(tensor.target.byteCount))
        }
        return table.text()
    }

    static func describe(_ allocation: Allocation) -> String {
        let used = Double(allocation.fileByteCount) / Double(max(1, allocation.budgetByteCount))
        return "\(NumberFormatting.grouped(allocation.fileByteCount)) of "
            + "\(NumberFormatting.grouped(allocation.budgetByteCount)) bytes "
            + "(\(NumberFormatting.fixed(used * 100, decimals: 2)) %), expected divergence of rounding "
            + NumberFormatting.fixed(allocation.expectedDivergence, decimals: 5)
    }

    private static func describe(_ model: ModelSummary) -> String {
        "\(model.path.escapedForDisplay), \(NumberFormatting.byteCount(model.byteCount)), "
            + "\(NumberFormatting.fixed(model.bitsPerWeight, decimals: 2)) bits per weight"
    }

    /// One line for each way in which tensors could not become what was asked for, with its cost.
    private static func fallbacks(_ plan: ConversionPlan) -> [String] {
        struct Kind: Hashable { let encoding: Encoding, fallback: ConversionPlan.Fallback }
        let affected = plan.tensors.filter { $0.fallback != nil }
        var kinds: [Kind: [TensorDescriptor]] = [:]
        for tensor in affected {
            guard let fallback = tensor.fallback else { continue }
            kinds[Kind(encoding: tensor.target.encoding, fallback: fallback), default: []]
                .append(tensor.target)
        }
        func cost(_ tensors: [TensorDescriptor], _ wanted: Encoding) -> Double {
            tensors.reduce(0.0) {
                $0 + Double($1.byteCount) - Double($1.count) * wanted.bitsPerWeight / 8
            }
        }
        var lines = kinds.map { kind, tensors in
            "fallback: \(tensors.count) tensors as \(kind.encoding) instead of \(kind.fallback.wanted), "
                + "\(kind.fallback.reason); costs \(costText(cost(tensors, kind.fallback.wanted), plan))\n"
        }.sorted()
        if lines.count > 1 {
            let total = kinds.reduce(0.0) { $0 + cost($1.value, $1.key.fallback.wanted) }
            lines.append(
                "fallback: \(affected.count) tensors in all; costs \(costText(total, plan))\n")
        }
        return lines
    }

    private static func costText(_ byteCount: Double, _ plan: ConversionPlan) -> String {
        let bits = byteCount * 8 / Double(max(1, plan.weightCount))
        return "\(NumberFormatting.byteCount(Int(byteCount.rounded()))), "
            + "\(NumberFormatting.fixed(bits, decimals: 2)) bits per weight of the model"
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
        lines += SummaryText.hessians(
            summary.matrices, dampingFraction: plan.recipe.dampingFraction)
        lines += SummaryText.channelScales(summary.channelScales)
        if plan.recipe.method == .gptq, !summary.matrices.isEmpty {
            lines.append(SummaryText.errors(summary.matrices.map(\.report)))
        }
        let regridded = plan.tensors.filter(\.isRegridded)
        if !regridded.isEmpty {
            let count = regridded.reduce(0) { $0 + $1.target.count }
            lines.append(
                "\(regridded.count) tensors regridded, 0 of \(NumberFormatting.grouped(count)) values "
                    + "changed")
        }
        lines.append(
            "wrote \(plan.outputPath.escapedForDisplay): "
                + "\(NumberFormatting.byteCount(summary.byteCount)) "
                + "(\(NumberFormatting.grouped(summary.byteCount)) bytes), \(bits) bits per weight, in "
                + NumberFormatting.duration(elapsed))
        text = lines.map { $0 + "\n" }.joined()
    }

    /// What was found in Hessians and met: too little definiteness, and inputs that are always zero.
    private static func hessians(
        _ matrices: [ConversionSummary.Matrix], dampingFraction: Float
    ) -> [String] {
        // An embedding that doubles as the output is damped more than asked for in any case.
        let raised = matrices.filter {
            $0.role.module != .tokenEmbedding
                && ($0.report.dampingFraction ?? 0) > dampingFraction
        }
        var lines = raised.map { matrix in
            "damping: \(matrix.name.escapedForDisplay): raised to "
                + "\(matrix.report.dampingFraction ?? 0), for the Hessian was not positive definite"
        }
        let dead = matrices.map(\.report.deadColumnCount).filter { $0 > 0 }
        if !dead.isEmpty {
            lines.append(
                "dead: \(dead.reduce(0, +)) columns in \(dead.count) matrices, whose inputs are zero "
                    + "throughout the calibration text; their weights became zero")
        }
        return lines
    }

    /// A line for each kind of place whose channels were scaled, and one for each that was not.
    private static func channelScales(_ scales: ConversionSummary.ChannelScales) -> [String] {
        let folds = Dictionary(grouping: scales.folds, by: \.place).sorted { $0.key < $1.key }
        return folds.map { place, folds in
            func mean(_ figure: (ConversionSummary.ChannelScales.Fold) -> Double) -> Double {
                folds.reduce(0) { $0 + figure($1) } / Double(folds.count)
            }
            let exponent = NumberFormatting.fixed(mean { Double($0.exponent) }, decimals: 2)
            let before = NumberFormatting.fixed(
                mean(\.relativeErrorUnscaled) * 100, decimals: 3)
            let after = NumberFormatting.fixed(mean(\.relativeError) * 100, decimals: 3)
            return "scaled: \(place), \(folds.count) times, mean exponent \(exponent); squared "
                + "error of the outputs \(before) % -> \(after) %"
        } + scales.omissions.map { "not scaled: \($0)" }
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
