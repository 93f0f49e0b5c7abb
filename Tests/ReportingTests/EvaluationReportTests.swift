import ByteIO
import Evaluation
import Kernels
import Reporting
import TestSupport
import Testing

@Suite struct EvaluationReportTests {
    private static func report(
        digest: String = "00", name: String = "q4.gguf", hasReference: Bool = true
    ) throws -> EvaluationReport {
        let convention = Convention.halfWindow(context: 8)
        let ids = (0..<40).map { Int32($0 * $0 % 5) }
        let evaluator = try Evaluator(
            model: FixedModel(row: [0, 1, 2, 3, 4]),
            reference: hasReference ? FixedModel(row: [4, 3, 2, 1, 0.5]) : nil,
            workers: Workers(threadCount: 1))
        let result = try evaluator.evaluate(
            convention.windows(of: ids, beginningOfText: nil), convention: convention)
        let model = ModelSummary(path: name, byteCount: 1000, tensors: [])
        var report = EvaluationReport(
            model: model, reference: model,
            text: .init(name: "text.txt", digest: digest, tokenCount: ids.count), result: result)
        report.spelling = { $0.map { "<\($0)>" }.joined() }
        return report
    }

    private static func failing(name: String) throws -> EvaluationReport {
        var report = try report(name: name)
        report.gates = [
            Gate("max-kld", "mean KL divergence", 1, nil, .atMost, 0.5),
            Gate("max-bytes", "size in bytes", 1000, nil, .atMost, 1000, decimals: 0),
        ]
        return report
    }

    /// The members that Formats/Reports/SPECIFICATION.md lists.
    @Test func theJSONHasTheMembersOfItsSpecification() throws {
        let specification = String(
            decoding: try MappedFile.contents(
                ofFile: "\(Repository.root)/Formats/Reports/SPECIFICATION.md"), as: UTF8.self)
        var report = try Self.failing(name: "q4.gguf")
        report.leakage = .init(
            calibration: "c", overlap: TextOverlap(evaluation: [65], calibration: [66]))
        report.regression = try Regression(of: report.result.blocks, since: report.result.blocks)
        let members = try #require(report.json.object)
        let suffixes = ["_stderr", "_interval95"]  // specified for all figures together
        for key in members.keys where !suffixes.contains(where: key.string.hasSuffix) {
            #expect(specification.contains("`\(key.string)`"), "\(key.string)")
        }
        #expect(members["schema"]?.integer == EvaluationReport.schema)
        #expect(report.json["notable_tokens"]?.array?.count == 10)
        #expect(report.json["blocks"]?.array?.count == 5)
    }

    @Test func aReportIsABaselineForItself() throws {
        let report = try Self.report()
        let baseline = try EvaluationBaseline(
            parsing: report.json.bytes(), path: "base.json")
        #expect(baseline.blocks == report.result.blocks)
        let regression = try baseline.regression(of: report)
        #expect(regression.perplexityRatio.value == 1)
        #expect(regression.divergenceRatio?.value == 1)
    }

    @Test func aBaselineOfAnotherTextIsRefused() throws {
        let baseline = try EvaluationBaseline(
            parsing: Self.report(digest: "11").json.bytes(), path: "base.json")
        #expect(throws: EvaluationError.baselineDiffers(.text)) {
            try baseline.regression(of: Self.report())
        }
    }

    /// A divergence that only one of both has cannot have grown, and must not pass for that.
    @Test(arguments: [true, false]) func aReferenceOnOneSideOnlyIsAnotherOne(before: Bool) throws {
        let baseline = try EvaluationBaseline(
            parsing: Self.report(hasReference: before).json.bytes(), path: "base.json")
        #expect(throws: EvaluationError.baselineDiffers(.reference)) {
            try baseline.regression(of: Self.report(hasReference: !before))
        }
    }

    @Test(arguments: [
        ("{}", FormatError.Code.missing), ("[]", .missing),
        ("{\"schema\": 1}", .unsupportedVersion),
        ("{\"schema\": 2}", .missing), ("{\"schema\": 2", .truncated),
    ]) func whatIsNoReportIsNoBaseline(document: String, code: FormatError.Code) {
        do {
            _ = try EvaluationBaseline(parsing: Array(document.utf8), path: "base.json")
            Issue.record("accepted \(document)")
        } catch {
            #expect(error.code == code)
            #expect(error.path == "base.json")
        }
    }

    @Test func aJUnitDocumentNamesEachGateAndItsFailure() throws {
        let text = try Self.failing(name: "a<b>&\"c\u{1}.gguf").junitText
        #expect(text.contains(#"tests="2" failures="1""#))
        #expect(text.contains("max-kld: mean KL divergence"))
        #expect(text.contains("<failure type=\"gate\" message=\"mean KL divergence is 1.000000"))
        #expect(text.contains("a&lt;b&gt;&amp;&quot;c\u{FFFD}.gguf"))
        #expect(!text.contains("\u{1}"))
    }

    @Test func withoutGatesAJUnitDocumentSaysThatItMeasured() throws {
        #expect(try Self.report().junitText.contains(#"tests="1" failures="0""#))
    }

    @Test func markdownGivesTheVerdictFirst() throws {
        let text = try Self.failing(name: "q4_0|*.gguf").markdownText
        #expect(text.hasPrefix("### q4\\_0\\|\\*.gguf\n\n**fails 1 of its gates**"))
        for row in [
            "| `max-bytes` | size in bytes | 1000 | exact | at most 1000 | pass |",
            "| `max-kld` | mean KL divergence | 1.000000 | exact | at most 0.500000 | **FAIL** |",
        ] { #expect(text.contains(row)) }
    }

    @Test func annotationsAreOneLineForEachFailedGate() throws {
        let text = try Self.failing(name: "a\n::error::b%.gguf").annotationText
        #expect(text.hasPrefix("::error title=evalppl max-kld::a%0A::error::b%25.gguf: mean KL"))
        #expect(text.split(separator: "\n").count == 1)
        #expect(try Self.report().annotationText.isEmpty)
    }

    @Test func theTableShowsTheWorstTokensInTheirText() throws {
        let text = try Self.report().tableText
        #expect(text.contains("worst tokens"))
        #expect(text.contains("'<0>'"))
        #expect(text.contains("95 % interval"))
    }
}
