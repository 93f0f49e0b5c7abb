import ByteIO

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

enum StandardInput {
    /// Everything that comes in until its end.
    /// - Throws: `SystemError` where it cannot be read.
    static func contents() throws(SystemError) -> [UInt8] {
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(0, $0.baseAddress, $0.count) }
            if count > 0 {
                contents += buffer[..<count]
            } else if count == 0 {
                return contents
            } else if errno != EINTR {
                throw SystemError(cannot: "read", "standard input")
            }
        }
    }
}

enum LocalDate {
    /// Now, in the words of C's `strftime`.
    @Sendable static func text(_ format: String) -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
            guard let start = buffer.baseAddress, strftime(start, buffer.count, format, &parts) > 0
            else { return "" }
            return String(cString: start)
        }
    }
}
