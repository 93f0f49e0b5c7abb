import OrderedCollections

/// What `|` applies.
enum Filters {
    static func apply(
        _ name: String, to value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        if let result = try text(name, value, arguments) { return result }
        if let result = try collection(name, value, arguments) { return result }
        if let result = try number(name, value, arguments) { return result }
        switch name {
        case "default", "d":
            try arguments.expect(atMost: 2, named: ["default_value", "boolean"])
            let isBoolean = arguments[1, "boolean"]?.isTrue ?? false
            let isMissing = value.isUndefined || isBoolean && !value.isTrue
            return isMissing ? arguments[0, "default_value"] ?? .string("") : value
        case "tojson":
            try arguments.expect(atMost: 1, named: ["indent", "ensure_ascii"])
            guard arguments.named["ensure_ascii"]?.isTrue != true else {
                throw JinjaError(
                    .unsupported, line: arguments.line,
                    "filter 'tojson' with 'ensure_ascii' is not supported")
            }
            var writer = JSONText(indentation: try arguments.integer(0, "indent"))
            try writer.append(value, arguments)
            return .string(writer.text)
        default:
            throw JinjaError(
                .unsupported, line: arguments.line, "filter '\(name)' is not supported")
        }
    }

    /// Filters of text; those apply to anything that can be printed.
    private static func text(
        _ name: String, _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        switch name {
        case "trim":
            try arguments.expect(atMost: 1)
            let characters = try arguments[0] == nil ? nil : arguments.string(0)
            return .string(value.text.stripped(of: characters))
        case "upper": return .string(value.text.uppercased())
        case "lower": return .string(value.text.lowercased())
        case "title": return .string(value.text.titled)
        case "capitalize": return .string(value.text.capitalizedOnce)
        case "string": return .string(value.text)
        // Nothing is escaped unless asked for.
        case "safe": return value
        case "e", "escape":
            var text = value.text
            for (character, entity) in [
                ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&#34;"), ("'", "&#39;"),
            ] {
                text = text.parts(separatedBy: character).joined(separator: entity)
            }
            return .string(text)
        case "replace":
            try arguments.expect(atMost: 2)
            let (old, new) = (try arguments.string(0), try arguments.string(1))
            return .string(try value.text.replacing(old, with: new, limit: .max, arguments))
        case "indent":
            try arguments.expect(atMost: 3, named: ["width", "first", "blank"])
            return .string(try indented(value.text, arguments))
        default: return nil
        }
    }

    private static func indented(
        _ text: String, _ arguments: CallArguments
    ) throws(JinjaError) -> String {
        let width = try arguments.integer(0, "width") ?? 4
        guard (0...1000).contains(width) else { throw arguments.failure("needs a sensible width") }
        let blanks = String(repeating: " ", count: width)
        let indentsFirst = arguments[1, "first"]?.isTrue ?? false
        let indentsBlank = arguments[2, "blank"]?.isTrue ?? false
        let lines = text.parts(separatedBy: "\n")
        return lines.enumerated().map { index, line in
            let isIndented = index == 0 ? indentsFirst : indentsBlank || !line.isEmpty
            return isIndented ? blanks + line : line
        }.joined(separator: "\n")
    }

    private static func number(
        _ name: String, _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        switch name {
        case "int":
            if let integer = value.integer { return .integer(integer) }
            let number = value.double ?? Double(value.text.stripped()) ?? 0
            return arguments[0].flatMap { Double(value.text.stripped()) == nil ? $0 : nil }
                ?? .integer(Int(exactly: number.rounded(.towardZero)) ?? 0)
        case "float": return .number(value.double ?? Double(value.text.stripped()) ?? 0)
        case "abs":
            if let integer = value.integer, integer != .min { return .integer(abs(integer)) }
            if let number = value.double { return .number(abs(number)) }
            throw arguments.failure("does not take \(value.kind)")
        default: return nil
        }
    }
}
