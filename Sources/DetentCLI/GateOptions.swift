import ArgumentParser
import ByteIO
import Evaluation
import Reporting

/// Bounds for the figures.
struct GateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Mean divergence from the reference, in nats per token.", valueName: "x")
    )
    var maxKld: Double?

    @Option(
        help: ArgumentHelp("Perplexity over the reference's.", valueName: "x"))
    var maxPplRatio: Double?

    @Option(
        help: ArgumentHelp(
            "Share of tokens, 0 to 1, at which both find the same one most likely.", valueName: "x")
    )
    var minTop1: Double?

    @Option(
        help: ArgumentHelp("Size of the model's files: '90MB', '1.5GiB'.", valueName: "size"))
    var maxBytes: ByteSize?

    @Option(
        help: ArgumentHelp(
            "The JSON of an earlier evaluation of the same text, for '--max-regression'.",
            valueName: "file"),
        completion: .file())
    var baseline: String?

    @Option(
        help: ArgumentHelp(
            "By how much perplexity and divergence may be above the baseline's.",
            valueName: "share"))
    var maxRegression: Percentage?

    /// The gates that compare with a reference.
    var givenForReference: [String] {
        [("--max-kld", maxKld), ("--max-ppl-ratio", maxPplRatio), ("--min-top1", minTop1)]
            .filter { $0.1 != nil }.map(\.0)
    }

    var isGiven: Bool { needInterval || maxBytes != nil }

    /// Whether there are gates that are judged by an interval.
    var needInterval: Bool { !givenForReference.isEmpty || maxRegression != nil }

    func validate() throws {
        if let minTop1, !(0...1).contains(minTop1) {
            throw ValidationError("'--min-top1' is a share between 0 and 1, such as 0.9.")
        }
        for (name, bound) in [("--max-kld", maxKld), ("--max-ppl-ratio", maxPplRatio)] {
            if let bound, !(bound >= 0 && bound.isFinite) {
                throw ValidationError("'\(name)' is a number that is not negative.")
            }
        }
        if (baseline == nil) != (maxRegression == nil) {
            throw ValidationError(
                baseline == nil
                    ? "'--max-regression' compares with an earlier report; add '--baseline <file>'."
                    : "'--baseline' is for a gate; add '--max-regression 2%'.")
        }
    }

    /// - Throws: `SystemError` and `FormatError` for a baseline that cannot be read.
    func readBaseline() throws -> EvaluationBaseline? {
        try baseline.map {
            try EvaluationBaseline(parsing: MappedFile.contents(ofFile: $0), path: $0)
        }
    }

    func gates(for report: EvaluationReport) -> [Gate] {
        var gates: [Gate] = []
        if let comparison = report.result.comparison {
            gates += [
                maxKld.map {
                    Gate(
                        "max-kld", "mean KL divergence", comparison.divergence.mean,
                        comparison.divergence.interval(), .atMost, $0)
                },
                maxPplRatio.map {
                    Gate(
                        "max-ppl-ratio", "perplexity ratio", comparison.perplexityRatio,
                        comparison.perplexityRatioInterval, .atMost, $0)
                },
                minTop1.map {
                    Gate(
                        "min-top1", "share of the same most likely token",
                        comparison.sameTop.mean, comparison.sameTop.interval(), .atLeast, $0)
                },
            ].compactMap { $0 }
        }
        if let maxBytes {
            gates.append(
                Gate(
                    "max-bytes", "size in bytes", Double(report.model.byteCount), nil, .atMost,
                    Double(maxBytes.byteCount), decimals: 0))
        }
        if let regression = report.regression, let maxRegression {
            let bound = 1 + maxRegression.share
            let ratio = regression.perplexityRatio
            gates.append(
                Gate(
                    "max-regression", "perplexity over the baseline's", ratio.value,
                    ratio.interval, .atMost, bound))
            if let ratio = regression.divergenceRatio {
                gates.append(
                    Gate(
                        "max-regression", "mean KL divergence over the baseline's", ratio.value,
                        ratio.interval, .atMost, bound))
            }
        }
        return gates
    }
}

/// A share of something: `2%`, or `0.02`; above 1 only with the sign, for `2` is more likely a slip than 200 %.
struct Percentage: ExpressibleByArgument {
    let share: Double

    init?(argument: String) {
        let isPercent = argument.hasSuffix("%")
        guard let number = Double(isPercent ? String(argument.dropLast()) : argument),
            number >= 0, number.isFinite, isPercent || number <= 1
        else { return nil }
        share = isPercent ? number / 100 : number
    }
}
