import ArgumentParser
import ByteIO

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How a command ends. Scripts rely on these numbers (README, "Exit status").
enum ExitStatus: Int32, Sendable {
    case success = 0
    /// A gate or a check did not hold.
    case failure = 1
    /// The command line makes no sense.
    case usage = 64
    /// A file is damaged, or a model is one that cannot be worked with.
    case badInput = 65
    /// The operating system refused.
    case inputOutput = 74
    /// Somebody pressed Control-C, or the process was asked to end.
    case interrupted = 130
}

/// An option that contradicts another, or what the files turned out to be.
struct UsageError: Error, Sendable {
    let message: String
    let hint: String?

    init(_ message: String, hint: String? = nil) {
        (self.message, self.hint) = (message, hint)
    }
}

/// Figures that do not keep their bounds.
struct GateFailure: Error, Sendable {
    let messages: [String]
}
