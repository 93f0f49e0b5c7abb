import ByteIO
import TestSupport
import Testing

/// The commands that the README shows do what it says of them.
@Suite struct ReadmeTests {
    /// The indented lines of a section: its commands, one after the other.
    private static func commands(inSection title: String) throws -> String {
        let text = String(
            decoding: try MappedFile.contents(ofFile: "\(Repository.root)/README.md"),
            as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "## \(title)"[...]))
        let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
        let commands = section.filter { $0.hasPrefix("    ") }.map { String($0.dropFirst(4)) }
        return try #require(commands.isEmpty ? nil : commands.joined(separator: "\n"))
    }

    /// Runs the example with the bundled model and texts in place of the user's.
    ///
    /// - Parameter change: shell commands between the day of the baseline and the day of the job.
    /// - Returns: how the last command ended.
    /// - Throws: what reading the README and starting a shell throw.
    private func runExample(change: String = ":") throws -> Shell.Outcome {
        let corpora = "\(Repository.root)/Calibration/Corpora"
        let lines = try Self.commands(inSection: "In CI").split(separator: "\n")
        let job = try #require(lines.firstIndex { $0.hasPrefix("# the job") })
        return try Shell.run(
            """
            set -e
            ln -s '\(Repository.root)/Calibration/detent-tiny' model
            head -c 6000 '\(corpora)/calibration/prose.txt' > text.txt
            cat '\(corpora)/held-out/'*.txt | head -c 8000 > held-out.txt
            \(lines[..<job].joined(separator: "\n"))
            \(change)
            \(lines[job...].joined(separator: "\n"))
            """)
    }

    @Test func theExampleForCIPassesOnAModelThatIsAsGood() throws {
        let outcome = try runExample()
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(!outcome.output.contains("FAIL"))
    }

    /// The same command lines, on a day on which somebody turned the type down.
    @Test func theExampleForCIFailsOnAModelThatGotWorse() throws {
        let outcome = try runExample(change: "quantize() { command quantize \"$@\" --type q2_k; }")
        #expect(outcome.status == 1, "\(outcome.error)")
        #expect(outcome.error.contains("over the baseline's"))
    }
}
