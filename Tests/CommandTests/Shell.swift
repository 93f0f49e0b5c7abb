import ByteIO
import Foundation
import TestSupport

/// Runs command lines as a user would, with the executables of this build first in the path.
enum Shell {
    struct Outcome {
        let output: String
        let error: String
        let status: Int32
    }

    static var updatesGoldens: Bool {
        ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1"
    }

    /// The folder of the executables, which is the one of the test bundle.
    private static let productFolder: String = {
        let bundle =
            CommandLine.arguments.first { $0.contains(".xctest") } ?? CommandLine.arguments[0]
        let components = bundle.split(separator: "/", omittingEmptySubsequences: false)
        let end = components.firstIndex { $0.hasSuffix(".xctest") } ?? components.count - 1
        return components[..<end].joined(separator: "/")
    }()

    /// - Parameter command: for `sh`, run in a temporary folder that is removed afterwards.
    /// - Returns: what it printed, and its exit status.
    /// - Throws: what making the folder or starting the shell throws.
    static func run(_ command: String) throws -> Outcome {
        let folder = try TemporaryFolder()
        let work = folder.path("work")
        try FileSystem.createFolder(work)
        let output = try folder.write([], to: "stdout")
        let error = try folder.write([], to: "stderr")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.currentDirectoryURL = URL(fileURLWithPath: work)
        // A terminal's width or a locale must not decide what the screens look like.
        process.environment = ["PATH": "\(productFolder):/usr/bin:/bin", "LC_ALL": "C"]
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: error))
        try process.run()
        process.waitUntilExit()
        return Outcome(
            output: try String(contentsOfFile: output, encoding: .utf8),
            error: try String(contentsOfFile: error, encoding: .utf8),
            status: process.terminationStatus)
    }
}
