#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Numbers as people read them, the same in every locale.
package enum NumberFormatting {
    /// The number with so many digits after the point, rounded as C's `printf` does.
    package static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
        return withVaList([Int32(decimals), value]) { arguments in
            // 309 digits before the point are the most that a Double has.
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 328 + decimals) { buffer in
                guard let start = buffer.baseAddress else { return "" }
                vsnprintf(start, buffer.count, "%.*f", arguments)
                return String(cString: start)
            }
        }
    }

    /// The number with so many digits that say something: `0.0565`, `12.3`, `4.1·10⁻⁷`.
    package static func significant(_ value: Double, digits: Int) -> String {
        guard value.isFinite, value != 0 else { return fixed(value, decimals: 0) }
        let magnitude = Int(log10(abs(value)).rounded(.down))
        if magnitude < -4 || magnitude > 9 { return scientific(value, digits: digits) }
        return fixed(value, decimals: max(0, digits - 1 - magnitude))
    }

    /// The number as a power of ten, times what is more than one: `10⁻⁵`, `2·10⁻⁵`.
    package static func scientific(_ value: Double, digits: Int) -> String {
        guard value.isFinite, value != 0 else { return fixed(value, decimals: 0) }
        var power = Int((log10(abs(value)) + 1e-9).rounded(.down))
        var factor = fixed(value / pow(10, Double(power)), decimals: max(0, digits - 1))
        if factor.hasPrefix("10") {
            power += 1
            factor = fixed(value / pow(10, Double(power)), decimals: max(0, digits - 1))
        }
        let exponent = String(
            String(power).map { $0 == "-" ? "⁻" : superscripts[$0.wholeNumberValue ?? 0] })
        return (factor == "1" ? "" : factor + "·") + "10" + exponent
    }

    private static let superscripts: [Character] = [
        "⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹",
    ]

    /// Bytes with a unit of 1024: `512 B`, `87.5 MiB`.
    package static func byteCount(_ count: Int) -> String {
        guard count >= 1024 else { return "\(count) B" }
        var (value, unit) = (Double(count) / 1024, 0)
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while value >= 1023.95, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
        return "\(fixed(value, decimals: value < 100 ? 2 : 1)) \(units[unit])"
    }

    /// A count with its thousands apart: `134,515,008`.
    package static func grouped(_ count: Int) -> String {
        var digits = String(count.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (count < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// A stretch of time: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`.
    package static func duration(_ duration: Duration) -> String {
        let seconds =
            Double(duration.components.seconds)
            + Double(duration.components.attoseconds) * 1e-18
        guard seconds >= 9.95 else { return "\(fixed(max(0, seconds), decimals: 1)) s" }
        let whole = Int(seconds.rounded())
        func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min \(twoDigits(whole % 60)) s"
        default: return "\(whole / 3600) h \(twoDigits(whole % 3600 / 60)) min"
        }
    }
}
