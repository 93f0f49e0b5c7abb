import ByteIO

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Standard output and standard error, unbuffered: what was written is out when the process ends.
enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Writes all of `text`.
    /// - Throws: `SystemError`, when the disk behind a redirection is full, for example.
    func write(_ text: String) throws(SystemError) { try write(Array(text.utf8)) }

    /// Writes all of `bytes`.
    /// - Throws: `SystemError`, as for text.
    func write(_ bytes: [UInt8]) throws(SystemError) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes {
                #if canImport(Glibc)
                Glibc.write(rawValue, $0.baseAddress, $0.count)
                #else
                Darwin.write(rawValue, $0.baseAddress, $0.count)
                #endif
            }
            if written >= 0 {
                bytes = bytes.dropFirst(written)
            } else if errno != EINTR {
                throw SystemError(
                    cannot: "write", self == .output ? "standard output" : "standard error")
            }
        }
    }

    var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Columns of the terminal, 80 where that is unknown.
    var columns: Int {
        var size = winsize()
        let known = ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return known ? Int(size.ws_col) : 80
    }
}
