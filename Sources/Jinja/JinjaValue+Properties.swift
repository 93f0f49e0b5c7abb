import OrderedCollections

extension JinjaValue {
    /// Python's idea of truth.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let elements): !elements.isEmpty
        case .dictionary(let members): !members.isEmpty
        case .function, .namespace: true
        }
    }

    /// For messages.
    var kind: String {
        switch self {
        case .undefined(let name): "'\(name)', which is undefined"
        case .none: "none"
        case .bool: "a Boolean"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .list: "a list"
        case .dictionary: "a dictionary"
        case .function: "a function"
        case .namespace: "a namespace"
        }
    }

    /// Numbers of either kind, and Booleans, which Python counts as 0 and 1.
    var double: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    /// Python's `==`.
    func equals(_ other: JinjaValue) -> Bool {
        switch (self, other) {
        case (.undefined, .undefined), (.none, .none): true
        // Swift holds canonically equivalent strings for equal, Python does not.
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.list(let a), .list(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
        case (.dictionary(let a), .dictionary(let b)):
            a.count == b.count && a.allSatisfy { b[$0.key].map($0.value.equals) ?? false }
        case (.namespace(let a), .namespace(let b)): a === b
        default:
            if let a = integer, let b = other.integer {
                a == b
            } else if let a = double, let b = other.double {
                a == b
            } else {
                false
            }
        }
    }

    /// As it is printed: Python's `str`.
    var text: String {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: representation
        }
    }

    /// As it is printed within a list: Python's `repr`.
    var representation: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let text): JinjaValue.quoted(text)
        case .list(let elements): "[" + elements.map(\.representation).joined(separator: ", ") + "]"
        case .dictionary(let members):
            "{"
                + members.map { "\(JinjaValue.quoted($0)): \($1.representation)" }
                .joined(separator: ", ") + "}"
        case .function(let function): "<function \(function.name)>"
        case .namespace: "<Namespace>"
        }
    }

    private static func quoted(_ text: String) -> String {
        let quote: Character = text.contains("'") && !text.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "'" where quote == "'": result += "\\'"
            case _ where scalar.value < 32 || scalar.value == 127:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.count == 1 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + String(quote)
    }

    /// What a loop goes over; nil for what none can.
    var elements: [JinjaValue]? {
        switch self {
        case .undefined: []
        case .list(let elements): elements
        case .string(let text): text.unicodeScalars.map { .string(String($0)) }
        case .dictionary(let members): members.keys.map(JinjaValue.string)
        default: nil
        }
    }

    /// Python's `len`; nil for what has none.
    var count: Int? {
        switch self {
        case .undefined: 0
        case .list(let elements): elements.count
        // Python counts code points.
        case .string(let text): text.unicodeScalars.count
        case .dictionary(let members): members.count
        default: nil
        }
    }

    /// Python's `in`, `self` being the container; nil where that makes no sense.
    func contains(_ element: JinjaValue) -> Bool? {
        switch (self, element) {
        case (.string(let text), .string(let part)): text.utf8Contains(part)
        case (.dictionary(let members), .string(let key)): members[key] != nil
        case (.dictionary, _): false
        case (.list(let elements), _): elements.contains { $0.equals(element) }
        case (.undefined, _): false
        default: nil
        }
    }
}
