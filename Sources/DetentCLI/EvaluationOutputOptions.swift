import ArgumentParser
import ByteIO
import Reporting

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Where the results go besides the table.
struct EvaluationOutputOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write the report as JSON to a file, or to standard output instead of the table: '-'.",
            valueName: "file"),
        completion: .file())
    var json: String?

    @Option(
        help: ArgumentHelp("Write the gates as a JUnit document.", valueName: "file"),
        completion: .file())
    var junit: String?

    @Option(
        help: ArgumentHelp(
            "Write the report as Markdown, for a comment on a pull request.", valueName: "file"),
        completion: .file())
    var markdown: String?

    @Option(
        help: ArgumentHelp(
            "Keep what the model predicts, to compare others with: '.dtz', or any other name for the "
                + "layout of llama.cpp.",
            valueName: "file"),
        completion: .file())
    var saveReference: String?

    /// Writes what was asked for, and the table unless JSON takes its place. Where GitHub Actions runs the
    /// command, failed gates become annotations; they go to standard error, so that standard output holds
    /// results only.
    func write(_ report: EvaluationReport) throws {
        if let junit { try write(report.junitText, to: junit) }
        if let markdown { try write(report.markdownText, to: markdown) }
        try write(json: report.json, table: report.tableText)
        if getenv("GITHUB_ACTIONS").map({ String(cString: $0) }) == "true" {
            try StandardStream.error.write(report.annotationText)
        }
    }

    /// Writes a table to standard output, and a document of JSON to where it was asked for.
    func write(json document: JSON, table: String) throws(SystemError) {
        let document = document.text(indentation: 2) + "\n"
        if let json, json != "-" { try write(document, to: json) }
        try StandardStream.output.write(json == "-" ? document : table)
    }

    private func write(_ text: String, to path: String) throws(SystemError) {
        let file = try OutputFile(path: path)
        try file.write(Array(text.utf8), at: 0)
        try file.commit()
    }
}
