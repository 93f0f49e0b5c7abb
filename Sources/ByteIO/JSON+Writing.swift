extension JSON {
    /// The document as text, deterministic: keys in their order, the shortest digits that read back.
    ///
    /// - Parameter indentation: spaces per level; nil writes everything on one line.
    /// - Returns: text that `init(parsing:subject:)` reads back as the same document.
    public func text(indentation: Int? = nil) -> String {
        var result = ""
        write(to: &result, indentation: indentation, level: 0)
        return result
    }

    /// The document as UTF-8.
    public func bytes(indentation: Int? = nil) -> [UInt8] {
        Array(text(indentation: indentation).utf8)
    }

    private func write(to result: inout String, indentation: Int?, level: Int) {
        switch self {
        case .null: result += "null"
        case .bool(let value): result += value ? "true" : "false"
        case .integer(let value): result += String(value)
        case .number(let value): result += JSON.spell(value)
        case .string(let value): JSON.quote(value, to: &result)
        case .array(let elements):
            JSON.list(elements, "[", "]", to: &result, indentation, level) {
                $0.write(to: &$1, indentation: indentation, level: level + 1)
            }
        case .object(let members):
            JSON.list(members.elements, "{", "}", to: &result, indentation, level) {
                JSON.quote($0.key.string, to: &$1)
                $1 += indentation == nil ? ":" : ": "
                $0.value.write(to: &$1, indentation: indentation, level: level + 1)
            }
        }
    }

    private static func list<Elements: Collection>(
        _ elements: Elements, _ open: String, _ close: String, to result: inout String,
        _ indentation: Int?, _ level: Int, write: (Elements.Element, inout String) -> Void
    ) {
        func newLine(_ level: Int) {
            if let indentation {
                result += "\n" + String(repeating: " ", count: indentation * level)
            }
        }
        result += open
        for (index, element) in elements.enumerated() {
            if index > 0 { result += "," }
            newLine(level + 1)
            write(element, &result)
        }
        if !elements.isEmpty { newLine(level) }
        result += close
    }

    private static func spell(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return "\(value)"
    }

    private static func quote(_ text: String, to result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "\""
    }
}
