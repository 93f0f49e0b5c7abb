import ByteIO

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A folder for one test's files, removed with all it holds when the test lets go of it.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(base)/detent-test-\(UInt64.random(in: .min ... .max))"
        try FileSystem.createFolder(path)
    }

    deinit { TemporaryFolder.remove(path) }

    /// The path of a file in the folder.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file and returns its path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String) throws -> String {
        let output = try OutputFile(path: path(name))
        try output.write(bytes, at: 0)
        try output.commit()
        return path(name)
    }

    /// Everything in the folder, sorted.
    public func names() throws -> [String] { try FileSystem.names(inFolder: path) }

    /// What a link leads to is not the folder's, and stays.
    private static func remove(_ path: String) {
        var status = stat()
        let isFolder = lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        if isFolder, let names = try? FileSystem.names(inFolder: path) {
            for name in names { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
