import ByteIO
import Evaluation
import OrderedCollections

extension EvaluationReport {
    public var json: JSON {
        var members: JSON.Members = [
            "schema": .integer(EvaluationReport.schema),
            "perplexity": .number(result.perplexity),
            "perplexity_stderr": .optional(result.perplexityStandardError),
            "mean_negative_log_likelihood": .number(result.meanNegativeLogLikelihood.mean),
            "tokens_scored": .integer(result.tokensScored),
            "windows": .integer(result.windowCount),
            "convention": .string(result.convention.name),
            "ctx": .integer(result.convention.context),
            "stride": .integer(result.convention.stride),
            "text": ["path": .string(text), "tokens": .integer(textTokenCount)],
            "model": model.json,
        ]
        if let reference, let comparison = result.comparison {
            var described = reference.json.object ?? [:]
            described["perplexity"] = .number(comparison.referencePerplexity)
            described["perplexity_stderr"] = .optional(comparison.referencePerplexityStandardError)
            members["reference"] = .object(described)
            members.merge(comparison.jsonMembers) { $1 }
        }
        if !gates.isEmpty { members["gates"] = .array(gates.map(\.json)) }
        return .object(members)
    }
}

extension EvaluationResult.Comparison {
    fileprivate var jsonMembers: JSON.Members {
        [
            "perplexity_ratio": .number(perplexityRatio),
            "perplexity_ratio_stderr": .optional(perplexityRatioStandardError),
            "kl_divergence": [
                "mean": .number(divergence.mean),
                "stderr": .optional(divergence.standardError),
                "median": .number(divergenceQuantiles.median),
                "p90": .number(divergenceQuantiles.percentile90),
                "p99": .number(divergenceQuantiles.percentile99),
                "max": .number(divergenceQuantiles.maximum),
            ],
            "same_top1": .number(sameTop.mean),
            "same_top1_stderr": .optional(sameTop.standardError),
        ]
    }
}

extension EvaluationReport.Gate {
    fileprivate var json: JSON {
        [
            "figure": .string(figure), "value": .number(value),
            "must_be": .string(direction.rawValue), "bound": .number(bound),
            "passed": .bool(isPassed),
        ]
    }
}

extension JSON {
    fileprivate static func optional(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
}
