/// What `is` asks.
enum Tests {
    static func apply(
        _ name: String, to value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> Bool {
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none":
            if case .none = value { return true }
            return false
        case "string":
            if case .string = value { return true }
            return false
        case "mapping":
            if case .dictionary = value { return true }
            return false
        case "sequence", "iterable":
            switch value {
            case .list, .string, .dictionary: return true
            case .undefined: return true
            default: return false
            }
        case "boolean":
            if case .bool = value { return true }
            return false
        case "true":
            if case .bool(true) = value { return true }
            return false
        case "false":
            if case .bool(false) = value { return true }
            return false
        case "integer":
            if case .integer = value { return true }
            return false
        case "float":
            if case .number = value { return true }
            return false
        case "number": return value.double != nil
        case "callable":
            if case .function = value { return true }
            return false
        case "odd", "even":
            guard let integer = value.integer else {
                throw arguments.failure("does not take \(value.kind)")
            }
            return (integer % 2 == 0) == (name == "even")
        case "divisibleby":
            guard let integer = value.integer, let divisor = try arguments.integer(0), divisor != 0
            else { throw arguments.failure("needs two integers") }
            return integer.remainderReportingOverflow(dividingBy: divisor).partialValue == 0
        case "lower":
            return value.text == value.text.lowercased()
        case "upper":
            return value.text == value.text.uppercased()
        default: break
        }
        let symbols = [
            "equalto": "==", "eq": "==", "==": "==", "ne": "!=", "lt": "<", "lessthan": "<",
            "le": "<=", "gt": ">", "greaterthan": ">", "ge": ">=", "in": "in",
        ]
        if let symbol = symbols[name] {
            guard let other = arguments[0] else { throw arguments.failure("needs an argument") }
            return try Operators.compare(value, symbol, other, line: arguments.line)
        }
        throw JinjaError(
            .unsupported, line: arguments.line, "test '\(name)' is not supported")
    }
}

extension JinjaValue {
    var isUndefined: Bool {
        if case .undefined = self { true } else { false }
    }
}
