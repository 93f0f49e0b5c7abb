import ByteIO
import Evaluation
import OrderedCollections

extension EvaluationReport {
    /// The document of Formats/Reports/SPECIFICATION.md.
    public var json: JSON {
        var members: JSON.Members = [
            "schema": .integer(EvaluationReport.schema),
            "perplexity": .number(result.perplexity),
            "perplexity_stderr": .optional(result.perplexityStandardError),
            "perplexity_interval95": .interval(result.perplexityInterval),
            "mean_negative_log_likelihood": .number(result.meanNegativeLogLikelihood.mean),
            "tokens_scored": .integer(result.tokensScored),
            "windows": .integer(result.windowCount),
            "convention": .string(result.convention.name),
            "ctx": .integer(result.convention.context),
            "stride": .integer(result.convention.stride),
            "precision": .string(precision.rawValue),
            "text": [
                "path": .string(text.name), "tokens": .integer(text.tokenCount),
                "sha256": .string(text.digest),
            ],
            "model": model.json,
        ]
        if let reference, let comparison = result.comparison {
            var described = reference.json.object ?? [:]
            described["perplexity"] = .number(comparison.referencePerplexity)
            described["perplexity_stderr"] = .optional(comparison.referencePerplexityStandardError)
            members["reference"] = .object(described)
            members.merge(comparison.jsonMembers) { $1 }
        }
        if let leakage {
            members["leakage"] = [
                "calibration": .string(leakage.calibration),
                "run_length": .integer(TextOverlap.runLength),
                "words": .integer(leakage.overlap.wordCount),
                "shared_words": .integer(leakage.overlap.sharedWordCount),
                "share": .number(leakage.overlap.share),
                "longest_shared_run": .integer(leakage.overlap.longestSharedRun),
            ]
        }
        if let regression {
            var ratios: JSON.Members = ["perplexity_ratio": regression.perplexityRatio.json]
            ratios["kl_divergence_ratio"] = regression.divergenceRatio?.json
            members["regression"] = .object(ratios)
        }
        if !gates.isEmpty { members["gates"] = .array(gates.map(\.json)) }
        members["notable_tokens"] = .array(result.notableTokens.map(json))
        members["blocks"] = .array(result.blocks.map(\.json))
        return .object(members)
    }

    private func json(_ token: NotableToken) -> JSON {
        var members: JSON.Members = [
            "window": .integer(token.window), "position": .integer(token.position),
            "id": .integer(Int(token.id)),
            "negative_log_likelihood": .number(token.negativeLogLikelihood),
        ]
        if let comparison = token.comparison {
            members["reference_negative_log_likelihood"] = .number(
                comparison.referenceNegativeLogLikelihood)
            members["kl_divergence"] = .number(comparison.divergence)
            members["top1"] = .integer(Int(comparison.top))
            members["reference_top1"] = .integer(Int(comparison.referenceTop))
        }
        if let spelling {
            members["context"] = .string(spelling(token.context))
            members["token"] = .string(spelling([token.id]))
        }
        return .object(members)
    }
}

extension EvaluationResult.Comparison {
    fileprivate var jsonMembers: JSON.Members {
        [
            "perplexity_ratio": .number(perplexityRatio),
            "perplexity_ratio_stderr": .optional(perplexityRatioStandardError),
            "perplexity_ratio_interval95": .interval(perplexityRatioInterval),
            "kl_divergence": [
                "mean": .number(divergence.mean),
                "stderr": .optional(divergence.standardError),
                "interval95": .interval(divergence.interval()),
                "noise_floor": .optional(noiseFloor?.divergence),
                "noise_floor_of": noiseFloor.map { .string($0.origin.rawValue) } ?? .null,
                "median": .number(divergenceQuantiles.median),
                "p90": .number(divergenceQuantiles.percentile90),
                "p99": .number(divergenceQuantiles.percentile99),
                "p99.9": .number(divergenceQuantiles.percentile999),
                "max": .number(divergenceQuantiles.maximum),
            ],
            "same_top1": .number(sameTop.mean),
            "same_top1_stderr": .optional(sameTop.standardError),
            "same_top1_interval95": .interval(sameTop.interval()),
            "mean_delta_p": .number(probabilityDifference.mean),
            "mean_delta_p_stderr": .optional(probabilityDifference.standardError),
            "rms_delta_p": .number(rootMeanSquareProbabilityDifference),
            "rms_delta_p_interval95": .interval(rootMeanSquareProbabilityDifferenceInterval),
        ]
    }
}

extension EvaluationResult.Block {
    fileprivate var json: JSON {
        var members: JSON.Members = [
            "tokens": .integer(tokenCount),
            "negative_log_likelihood": .number(negativeLogLikelihood),
        ]
        if let divergence { members["kl_divergence"] = .number(divergence) }
        return .object(members)
    }
}

extension Regression.Ratio {
    fileprivate var json: JSON {
        ["value": .number(value), "interval95": .interval(interval)]
    }
}

extension JSON {
    /// `[lower, upper]`, or null.
    static func interval(_ interval: ConfidenceInterval?) -> JSON {
        interval.map { [.number($0.lower), .number($0.upper)] } ?? .null
    }

    static func optional(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
}
