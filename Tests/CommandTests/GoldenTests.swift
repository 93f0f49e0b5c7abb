import ByteIO
import TestSupport
import Testing

/// Whole screens: what a command line prints and how it ends.
///
/// Each folder of `Golden` holds `command`, and what must come of it: `stdout`, `stderr`, `status`. With
/// `UPDATE_GOLDEN=1` in the environment they are written instead, for the difference to be reviewed.
@Suite struct GoldenTests {
    private static let folder = "\(Repository.root)/Tests/CommandTests/Golden"

    private static let cases: [String] = {
        do {
            return try FileSystem.names(inFolder: folder)
        } catch {
            return []
        }
    }()

    @Test(arguments: cases) func screen(name: String) throws {
        let folder = "\(Self.folder)/\(name)"
        let command = String(
            decoding: try MappedFile.contents(ofFile: "\(folder)/command"), as: UTF8.self)
        let outcome = try Shell.run(command)
        for (file, content) in [
            ("stdout", outcome.output), ("stderr", outcome.error),
            ("status", "\(outcome.status)\n"),
        ] {
            let path = "\(folder)/\(file)"
            if Shell.updatesGoldens {
                let output = try OutputFile(path: path)
                try output.write(Array(content.utf8), at: 0)
                try output.commit()
            } else {
                let expected = try MappedFile.contents(ofFile: path)
                #expect(content == String(decoding: expected, as: UTF8.self), "\(name)/\(file)")
            }
        }
    }

    @Test func thereAreCases() { #expect(Self.cases.count >= 10) }
}
