#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Why the operating system refused: the verb, the path and the system's own words.
public struct SystemError: Error, Sendable, CustomStringConvertible {
    /// What was attempted: `read`, `write`, `create`, `rename`.
    public let verb: String
    public let path: String
    public let code: Int32

    /// - Parameters:
    ///   - verb: what was tried: `read`, `create`.
    ///   - path: the file or folder that it was tried on.
    ///   - code: an `errno` value; the current one by default, so call this first thing.
    public init(cannot verb: String, _ path: String, code: Int32 = errno) {
        self.verb = verb
        self.path = path
        self.code = code
    }

    public var description: String {
        "cannot \(verb) '\(path.escapedForDisplay)': \(String(cString: strerror(code)))"
    }
}
