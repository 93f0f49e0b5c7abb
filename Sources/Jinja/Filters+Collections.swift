import OrderedCollections

/// Filters of lists, and of what can be gone over like one.
extension Filters {
    static func collection(
        _ name: String, _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        switch name {
        case "length", "count":
            guard let count = value.count else { throw refusal(value, arguments) }
            return .integer(count)
        case "first": return try elements(value, arguments).first ?? .undefined(name: "first")
        case "last": return try elements(value, arguments).last ?? .undefined(name: "last")
        case "list": return .list(try elements(value, arguments))
        case "reverse":
            let reversed = Array(try elements(value, arguments).reversed())
            if case .string = value { return .string(reversed.map(\.text).joined()) }
            return .list(reversed)
        case "join":
            try arguments.expect(atMost: 2, named: ["d", "attribute"])
            let separator = try arguments[0, "d"] == nil ? "" : arguments.string(0, "d")
            guard arguments[1, "attribute"] != nil else {
                return try join(value, separator: separator, arguments)
            }
            let path = try arguments.string(1, "attribute")
            var parts: [JinjaValue] = []
            for element in try elements(value, arguments) {
                parts.append(try member(path, of: element, arguments))
            }
            return try join(.list(parts), separator: separator, arguments)
        case "items", "dictsort":
            if case .undefined = value, name == "items" { return .list([]) }
            guard case .dictionary(let members) = value else { throw refusal(value, arguments) }
            try arguments.expect(atMost: 0)
            // Jinja sorts without regard to case.
            let pairs =
                name == "items"
                ? Array(members)
                : members.sorted { $0.key.lowercased() < $1.key.lowercased() }
            return .list(pairs.map { .list([.string($0.key), $0.value]) })
        case "min", "max": return try extreme(name, value, arguments)
        case "sum":
            var sum = JinjaValue.integer(0)
            for element in try elements(value, arguments) {
                sum = try Operators.arithmetic(sum, "+", element, line: arguments.line)
            }
            return sum
        case "unique":
            var kept: [JinjaValue] = []
            for element in try elements(value, arguments)
            where !kept.contains(where: element.equals) { kept.append(element) }
            return .list(kept)
        case "map": return .list(try mapped(value, arguments))
        case "select", "reject", "selectattr", "rejectattr":
            return .list(try selected(name, value, arguments))
        default: return nil
        }
    }

    static func join(
        _ value: JinjaValue, separator: String, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        .string(try elements(value, arguments).map(\.text).joined(separator: separator))
    }

    private static func refusal(_ value: JinjaValue, _ arguments: CallArguments) -> JinjaError {
        arguments.failure("does not take \(value.kind)")
    }

    private static func elements(
        _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> [JinjaValue] {
        guard let elements = value.elements else { throw refusal(value, arguments) }
        return elements
    }

    private static func extreme(
        _ name: String, _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        var result: JinjaValue?
        for element in try elements(value, arguments) {
            guard let best = result else {
                result = element
                continue
            }
            let symbol = name == "min" ? "<" : ">"
            if try Operators.compare(element, symbol, best, line: arguments.line) {
                result = element
            }
        }
        return result ?? .undefined(name: name)
    }

    /// A member by a path with dots.
    private static func member(
        _ path: String, of value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        var value = value
        for part in path.parts(separatedBy: ".") {
            value = try value.item(
                Int(part).map(JinjaValue.integer) ?? .string(part), line: arguments.line)
        }
        return value
    }

    /// `map('filter', …)` or `map(attribute='name', default=…)`
    private static func mapped(
        _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> [JinjaValue] {
        var result: [JinjaValue] = []
        if arguments.named["attribute"] != nil {
            try arguments.expect(atMost: 0, named: ["attribute", "default"])
            let path = try arguments.string(0, "attribute")
            for element in try elements(value, arguments) {
                let found = try member(path, of: element, arguments)
                result.append(found.isUndefined ? arguments.named["default"] ?? found : found)
            }
            return result
        }
        let name = try arguments.string(0)
        var rest = CallArguments(callee: "filter '\(name)'", line: arguments.line)
        rest.positional = Array(arguments.positional.dropFirst())
        rest.named = arguments.named
        for element in try elements(value, arguments) {
            result.append(try apply(name, to: element, rest))
        }
        return result
    }

    /// `select('test', …)`, `selectattr('name', 'test', …)` and their opposites.
    private static func selected(
        _ name: String, _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> [JinjaValue] {
        let path = try name.hasSuffix("attr") ? arguments.string(0) : nil
        let given = arguments.positional.dropFirst(path == nil ? 0 : 1)
        var test: String?
        if let first = given.first {
            guard case .string(let text) = first else { throw arguments.failure("needs a test") }
            test = text
        }
        var rest = CallArguments(callee: "test '\(test ?? "")'", line: arguments.line)
        rest.positional = Array(given.dropFirst())
        var kept: [JinjaValue] = []
        for element in try elements(value, arguments) {
            var subject = element
            if let path { subject = try member(path, of: element, arguments) }
            var holds = subject.isTrue
            if let test { holds = try Tests.apply(test, to: subject, rest) }
            if holds == name.hasPrefix("select") { kept.append(element) }
        }
        return kept
    }
}
