import ByteIO
import Evaluation
import Inference

/// What an earlier evaluation left behind for later ones to be compared with: its JSON.
public struct EvaluationBaseline: Sendable, Hashable {
    public let textDigest: String
    public let convention: String
    public let precision: String
    public let context, stride: Int
    /// Nil for an evaluation without a reference.
    public let referencePerplexity: Double?
    public let blocks: [EvaluationResult.Block]

    /// - Parameters:
    ///   - document: the bytes of a report, as `EvaluationReport.json` lays it out.
    ///   - path: where they are from, for errors.
    /// - Throws: `FormatError` for what is no such report.
    public init(parsing document: [UInt8], path: String) throws(FormatError) {
        do throws(FormatError) {
            try self.init(JSON(parsing: document, subject: "baseline"))
        } catch {
            throw error.inFile(path)
        }
    }

    private init(_ json: JSON) throws(FormatError) {
        func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
            FormatError(code, in: "baseline", at: 0, detail)
        }
        guard let schema = json["schema"]?.integer else {
            throw failure(.missing, "is no report of an evaluation: it has no 'schema'")
        }
        guard schema == EvaluationReport.schema else {
            throw failure(
                .unsupportedVersion,
                "schema \(schema) is not supported; supported: \(EvaluationReport.schema)")
        }
        guard let digest = json["text"]?["sha256"]?.string,
            let convention = json["convention"]?.string, let context = json["ctx"]?.integer,
            let stride = json["stride"]?.integer, let elements = json["blocks"]?.array
        else {
            throw failure(
                .missing, "lacks one of 'text.sha256', 'convention', 'ctx', 'stride', 'blocks'")
        }
        (textDigest, self.convention, self.context, self.stride) = (
            digest, convention, context, stride
        )
        // Reports of earlier versions do not say so: there was nothing else.
        precision = json["precision"]?.string ?? Precision.f32.rawValue
        referencePerplexity = json["reference"]?["perplexity"]?.double
        var blocks: [EvaluationResult.Block] = []
        for (index, element) in elements.enumerated() {
            guard let tokenCount = element["tokens"]?.integer, (1...1 << 40).contains(tokenCount),
                let loss = element["negative_log_likelihood"]?.double, loss.isFinite,
                element["kl_divergence"]?.double?.isFinite ?? true
            else { throw failure(.malformed, "block \(index) has no 'tokens' or no loss") }
            blocks.append(
                EvaluationResult.Block(
                    tokenCount: tokenCount, negativeLogLikelihood: loss,
                    divergence: element["kl_divergence"]?.double))
        }
        self.blocks = blocks
    }

    /// References whose perplexities are this close, as a share, are the same model in another container or
    /// half-precision type.
    private static let sameReference = 1e-3

    /// Holds a new report against this one.
    ///
    /// - Throws: `EvaluationError.baselineDiffers` where text, windows or reference are others. A reference
    ///   on one side only is another one: without it a larger divergence would go unnoticed.
    public func regression(
        of report: EvaluationReport
    ) throws(EvaluationError) -> Regression {
        let result = report.result
        guard report.text.digest == textDigest else { throw .baselineDiffers(.text) }
        guard result.convention.name == convention, result.convention.context == context,
            result.convention.stride == stride
        else { throw .baselineDiffers(.convention) }
        guard report.precision.rawValue == precision else { throw .baselineDiffers(.precision) }
        let regression = try Regression(of: result.blocks, since: blocks)
        switch (result.comparison?.referencePerplexity, referencePerplexity) {
        case (nil, nil): break
        case (let now?, let then?) where abs(now / then - 1) <= Self.sameReference: break
        default: throw .baselineDiffers(.reference)
        }
        return regression
    }
}
