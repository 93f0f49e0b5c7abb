import OrderedCollections

/// Arithmetic and comparisons, as in Python.
enum Operators {
    /// Characters and elements that one operation may make; a few bytes of template could ask for
    /// billions.
    static let maximumCount = 1 << 24

    static func arithmetic(
        _ a: JinjaValue, _ symbol: String, _ b: JinjaValue, line: Int
    ) throws(JinjaError) -> JinjaValue {
        switch (symbol, a, b) {
        case ("~", _, _): return .string(a.text + b.text)
        case ("+", .string(let a), .string(let b)): return .string(a + b)
        case ("+", .list(let a), .list(let b)): return .list(a + b)
        case ("*", .string(let text), _):
            if let count = b.integer { return .string(try repeated(text, count, line: line)) }
        case ("*", _, .string(let text)):
            if let count = a.integer { return .string(try repeated(text, count, line: line)) }
        default: break
        }
        let result: JinjaValue?
        if let a = a.integer, let b = b.integer {
            result = try integers(a, symbol, b, line: line)
        } else if let a = a.double, let b = b.double {
            result = try numbers(a, symbol, b, line: line)
        } else {
            result = nil
        }
        guard let result else {
            throw JinjaError(
                .evaluation, line: line, "'\(symbol)' does not work on \(a.kind) and \(b.kind)")
        }
        return result
    }

    private static func repeated(
        _ text: String, _ count: Int, line: Int
    ) throws(JinjaError) -> String {
        guard count > 0 else { return "" }
        guard text.utf8.count <= maximumCount / count else {
            throw JinjaError(.limitExceeded, line: line, "a repeated string is too long")
        }
        return String(repeating: text, count: count)
    }

    private static func integers(
        _ a: Int, _ symbol: String, _ b: Int, line: Int
    ) throws(JinjaError) -> JinjaValue? {
        func checked(_ result: (partialValue: Int, overflow: Bool)) throws(JinjaError)
            -> JinjaValue
        {
            guard !result.overflow else {
                throw JinjaError(.limitExceeded, line: line, "'\(a) \(symbol) \(b)' is too large")
            }
            return .integer(result.partialValue)
        }
        switch symbol {
        case "+": return try checked(a.addingReportingOverflow(b))
        case "-": return try checked(a.subtractingReportingOverflow(b))
        case "*": return try checked(a.multipliedReportingOverflow(by: b))
        case "//", "%":
            guard b != 0 else { throw JinjaError(.evaluation, line: line, "division by zero") }
            // Python rounds down, Swift towards zero.
            let quotient = a.dividedReportingOverflow(by: b)
            let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
            let isBelow = rest != 0 && (rest < 0) != (b < 0)
            if symbol == "%" { return .integer(isBelow ? rest + b : rest) }
            return try checked((quotient.partialValue - (isBelow ? 1 : 0), quotient.overflow))
        case "**":
            guard b >= 0 else { return try numbers(Double(a), symbol, Double(b), line: line) }
            var power = 1
            for _ in 0..<min(b, 64) {
                guard
                    case .integer(let next) = try checked(power.multipliedReportingOverflow(by: a))
                else { break }
                power = next
            }
            // Only 0, 1 and -1 have larger powers that fit.
            return .integer(b > 64 && a == -1 && b % 2 == 1 ? -1 : power)
        default: return try numbers(Double(a), symbol, Double(b), line: line)
        }
    }

    private static func numbers(
        _ a: Double, _ symbol: String, _ b: Double, line: Int
    ) throws(JinjaError) -> JinjaValue? {
        if ["/", "//", "%"].contains(symbol), b == 0 {
            throw JinjaError(.evaluation, line: line, "division by zero")
        }
        switch symbol {
        case "+": return .number(a + b)
        case "-": return .number(a - b)
        case "*": return .number(a * b)
        case "/": return .number(a / b)
        case "//": return .number((a / b).rounded(.down))
        case "%": return .number(a - b * (a / b).rounded(.down))
        case "**": throw JinjaError(.unsupported, line: line, "'**' of fractions is not supported")
        default: return nil
        }
    }

    static func negated(_ value: JinjaValue, line: Int) throws(JinjaError) -> JinjaValue {
        if let integer = value.integer {
            return try arithmetic(.integer(0), "-", .integer(integer), line: line)
        }
        if case .number(let number) = value { return .number(-number) }
        throw JinjaError(.evaluation, line: line, "'-' does not work on \(value.kind)")
    }

    static func compare(
        _ a: JinjaValue, _ symbol: String, _ b: JinjaValue, line: Int
    ) throws(JinjaError) -> Bool {
        switch symbol {
        case "==": return a.equals(b)
        case "!=": return !a.equals(b)
        case "in", "not in":
            guard let result = b.contains(a) else {
                throw JinjaError(
                    .evaluation, line: line, "'\(symbol)' does not work on \(a.kind) and \(b.kind)")
            }
            return result == (symbol == "in")
        default:
            let isLess = try less(a, b, symbol, line)
            switch symbol {
            case "<": return isLess
            case ">": return try less(b, a, symbol, line)
            case "<=": return try !less(b, a, symbol, line)
            default: return !isLess
            }
        }
    }

    static func less(
        _ a: JinjaValue, _ b: JinjaValue, _ symbol: String, _ line: Int
    ) throws(JinjaError) -> Bool {
        if case .string(let a) = a, case .string(let b) = b {
            return a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
        }
        if case .list(let a) = a, case .list(let b) = b {
            for (x, y) in zip(a, b) where !x.equals(y) { return try less(x, y, symbol, line) }
            return a.count < b.count
        }
        guard let a = a.double, let b = b.double else {
            throw JinjaError(
                .evaluation, line: line, "'\(symbol)' does not work on \(a.kind) and \(b.kind)")
        }
        return a < b
    }
}
