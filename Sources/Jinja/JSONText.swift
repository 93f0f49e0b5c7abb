/// JSON as Python's `json.dumps` writes it, characters beyond ASCII left as they are.
struct JSONText {
    private(set) var text = ""
    /// Blanks for each level; nil for everything on one line.
    private let indentation: Int?
    private var depth = 0

    init(indentation: Int?) { self.indentation = indentation }

    mutating func append(
        _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) {
        switch value {
        case .none: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += "\(value)"
        case .number(let value): text += "\(value)"
        case .string(let string): appendQuoted(string)
        case .list(let elements):
            try appendParts(elements.count, "[", "]") { index, writer throws(JinjaError) in
                try writer.append(elements[index], arguments)
            }
        case .dictionary(let members):
            let pairs = Array(members)
            try appendParts(pairs.count, "{", "}") { index, writer throws(JinjaError) in
                writer.appendQuoted(pairs[index].key)
                writer.text += ": "
                try writer.append(pairs[index].value, arguments)
            }
        case .undefined, .function, .namespace:
            throw arguments.failure("does not take \(value.kind)")
        }
    }

    private mutating func appendParts(
        _ count: Int, _ start: String, _ end: String,
        _ part: (Int, inout JSONText) throws(JinjaError) -> Void
    ) throws(JinjaError) {
        text += start
        depth += 1
        for index in 0..<count {
            if index > 0 { text += indentation == nil ? ", " : "," }
            appendNewline()
            try part(index, &self)
        }
        depth -= 1
        if count > 0 { appendNewline() }
        text += end
    }

    private mutating func appendNewline() {
        guard let indentation else { return }
        text += "\n" + String(repeating: " ", count: max(0, min(indentation, 100)) * depth)
    }

    private mutating func appendQuoted(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case _ where scalar.value < 32:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
