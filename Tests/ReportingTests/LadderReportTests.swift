import ByteIO
import Reporting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct LadderReportTests {
    private static let folder = "\(Repository.root)/Tests/ReportingTests/Golden"

    /// The three pages of a fixed report; `UPDATE_GOLDEN=1` writes them anew.
    @Test(arguments: ["report.json", "report.md", "report.html"]) func pages(name: String) throws {
        let report = try SampleLadder.report()
        let text =
            switch name {
            case "report.json": report.json.text(indentation: 2) + "\n"
            case "report.md": try report.markdownText()
            default: try report.htmlText()
            }
        let path = "\(Self.folder)/\(name)"
        if getenv("UPDATE_GOLDEN") != nil {
            let output = try OutputFile(path: path)
            try output.write(Array(text.utf8), at: 0)
            try output.commit()
        } else {
            let expected = String(decoding: try MappedFile.contents(ofFile: path), as: UTF8.self)
            #expect(text == expected)
        }
    }

    @Test func aReportThatIsReadBackIsTheSame() throws {
        let report = try SampleLadder.report()
        let again = try LadderReport(
            parsing: report.json.bytes(indentation: 2), path: "report.json")
        #expect(again == report)
        #expect(try again.htmlText() == report.htmlText())
    }

    /// Formats/Reports/LADDER.md names every member.
    @Test func theJSONHasTheMembersOfItsSpecification() throws {
        let specification = String(
            decoding: try MappedFile.contents(
                ofFile: "\(Repository.root)/Formats/Reports/LADDER.md"), as: UTF8.self)
        var report = try SampleLadder.report()
        report.entries[0].quantizingSeconds = 1
        report.entries[0].evaluatingSeconds = 1
        let members = try #require(report.json.object)
        let entry = try #require(members["entries"]?.array?.first?.object)
        let tensor = try #require(entry["tensors"]?.array?.first?.object)
        for key in [members.keys, entry.keys, tensor.keys].joined() {
            #expect(specification.contains("`\(key.string)`"), "\(key.string)")
        }
    }

    @Test(arguments: [
        ("{}", FormatError.Code.malformed), ("[]", .malformed), ("{\"schema\": 1}", .missing),
        ("{\"schema\": 1, \"kind\": \"bakery\"}", .inconsistent),
        ("{\"schema\": 9, \"kind\": \"ladder\"}", .unsupportedVersion), ("{\"schema\"", .truncated),
    ]) func whatIsNoReportIsRefused(document: String, code: FormatError.Code) {
        do {
            _ = try LadderReport(parsing: Array(document.utf8), path: "report.json")
            Issue.record("accepted \(document)")
        } catch {
            #expect(error.code == code)
            #expect(error.path == "report.json")
        }
    }

    /// A damaged report is refused, or renders: whatever its numbers are, none of them may trap.
    @Test func damagedReportsAreRefusedOrRender() throws {
        let document = try SampleLadder.report().json.bytes()
        var mutator = Mutator(seed: 6)
        var renderedCount = 0
        for _ in 0..<1500 {
            let (bytes, _) = mutator.mutated(document)
            guard let report = try? LadderReport(parsing: bytes, path: "") else { continue }
            _ = try report.htmlText()
            _ = try report.markdownText()
            _ = report.tableText
            renderedCount += 1
        }
        #expect(renderedCount > 20)
    }

    @Test func theVerdictNamesTheSmallestCopyThatSurelyLosesLittle() throws {
        let lead = try SampleLadder.report().verdict
        // Of two files of one size the closer one; the smaller type keeps too few tokens.
        #expect(lead.first?.hasPrefix("Q4_0 by gptq is the smallest copy that surely") == true)
        #expect(lead.last == "At the same type, gptq diverges 1.9 to 2.0 times less than rtn.")
    }

    @Test func namesFromFilesCannotLeaveTheirPlace() throws {
        var report = try SampleLadder.report()
        report.model.name = "</title><script>|*\u{1B}[31m"
        let page = try report.htmlText()
        #expect(!page.contains("<script>") && !page.contains("\u{1B}"))
        // A block of code is the one place where Markdown wants nothing escaped.
        let text = try report.markdownText()
        #expect(text.contains("# \\</title\\>\\<script\\>") && !text.contains("\u{1B}"))
    }

    @Test func aPageNeedsNothingElse() throws {
        let page = try SampleLadder.report().htmlText()
        for word in ["http:", "https:", "src=", "@import", "url(", "<script"] {
            #expect(!page.contains(word), "\(word)")
        }
    }
}
