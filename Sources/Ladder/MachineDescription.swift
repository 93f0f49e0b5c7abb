import ByteIO
import OrderedCollections

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The machine that a report was made on: timings are its, and the last digits of figures may be.
enum MachineDescription {
    /// By what it is: `system`, `processor`, `threads`.
    static func current(threadCount: Int) -> OrderedDictionary<String, String> {
        var description: OrderedDictionary<String, String> = [:]
        var name = utsname()
        if uname(&name) == 0 {
            description["system"] = "\(text(&name.sysname)) \(text(&name.machine))"
        }
        description["processor"] = processor
        description["threads"] = String(threadCount)
        return description
    }

    /// Linux says it there; elsewhere it stays out.
    private static var processor: String? {
        // The file has no size, so it cannot be mapped.
        guard let file = fopen("/proc/cpuinfo", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(
                decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].hasPrefix("model name") else { continue }
            var value = parts[1].drop { $0 == " " }
            while value.last?.isWhitespace == true { value.removeLast() }
            return String(value)
        }
        return nil
    }

    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
