import OrderedCollections

/// What expressions stand for, now.
extension Interpreter {
    func evaluate(_ expression: Expression) throws(JinjaError) -> JinjaValue {
        switch expression {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(let text): return .string(text)
        case .list(let elements): return .list(try evaluate(elements))
        case .dictionary(let members):
            var result: OrderedDictionary<String, JinjaValue> = [:]
            for (key, value) in members {
                guard case .string(let name) = try evaluate(key) else {
                    throw JinjaError(
                        .unsupported, line: line,
                        "dictionaries with keys that are not strings are not supported")
                }
                result[name] = try evaluate(value)
            }
            return .dictionary(result)
        case .name(let name): return lookUp(name)
        case .attribute(let object, let name):
            return try evaluate(object).attribute(name, line: line)
        case .item(let object, let index):
            return try evaluate(object).item(try evaluate(index), line: line)
        case .slice(let object, let from, let to, let by):
            return try evaluate(object).slice(
                from: try bound(from), to: try bound(to), by: try bound(by), line: line)
        case .call(let callee, let arguments): return try call(callee, arguments)
        case .filter(let operand, let name, let arguments):
            let value = try evaluate(operand)
            let given = try evaluate(arguments, of: "filter '\(name)'")
            return try Filters.apply(name, to: value, given)
        case .test(let operand, let name, let arguments):
            let value = try evaluate(operand)
            let given = try evaluate(arguments, of: "test '\(name)'")
            return .bool(try Tests.apply(name, to: value, given))
        case .not(let operand): return .bool(try !evaluate(operand).isTrue)
        case .and(let operands): return try firstValue(of: operands, beingTrue: false)
        case .or(let operands): return try firstValue(of: operands, beingTrue: true)
        case .comparison(let first, let rest):
            var left = try evaluate(first)
            for (symbol, operand) in rest {
                let right = try evaluate(operand)
                guard try Operators.compare(left, symbol, right, line: line) else {
                    return .bool(false)
                }
                left = right
            }
            return .bool(true)
        case .arithmetic(let first, let rest):
            var left = try evaluate(first)
            for (symbol, operand) in rest {
                left = try Operators.arithmetic(left, symbol, evaluate(operand), line: line)
            }
            return left
        case .negation(let operand): return try Operators.negated(evaluate(operand), line: line)
        case .conditional(let condition, let then, let otherwise):
            if try evaluate(condition).isTrue { return try evaluate(then) }
            return try otherwise.map { value throws(JinjaError) in try evaluate(value) }
                ?? .undefined(name: "else")
        }
    }

    /// The first operand that decides, or the last.
    private func firstValue(
        of operands: [Expression], beingTrue isTrue: Bool
    ) throws(JinjaError) -> JinjaValue {
        for operand in operands.dropLast() {
            let value = try evaluate(operand)
            if value.isTrue == isTrue { return value }
        }
        return try evaluate(operands[operands.count - 1])
    }

    private func evaluate(
        _ expressions: [Expression]
    ) throws(JinjaError) -> [JinjaValue] {
        var values: [JinjaValue] = []
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    private func evaluate(
        _ arguments: Arguments, of callee: String
    ) throws(JinjaError) -> CallArguments {
        var result = CallArguments(callee: callee, line: line)
        result.positional = try evaluate(arguments.positional)
        for (name, value) in arguments.named { result.named[name] = try evaluate(value) }
        return result
    }

    private func bound(_ expression: Expression?) throws(JinjaError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .none = value { return nil }
        guard let integer = value.integer else {
            throw JinjaError(.evaluation, line: line, "a slice needs integers, not \(value.kind)")
        }
        return integer
    }

    private func call(
        _ callee: Expression, _ arguments: Arguments
    ) throws(JinjaError) -> JinjaValue {
        if case .attribute(let object, let name) = callee {
            let value = try evaluate(object)
            let given = try evaluate(arguments, of: "method '\(name)' of \(value.kind)")
            if let result = try Methods.call(name, of: value, given) { return result }
            return try call(value.attribute(name, line: line), given)
        }
        let value = try evaluate(callee)
        var name = "the value"
        if case .function(let function) = value { name = "function '\(function.name)'" }
        return try call(value, try evaluate(arguments, of: name))
    }

    private func call(
        _ value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        switch value {
        case .function(let function): return try function.body(arguments)
        case .undefined(let name):
            throw JinjaError(
                .unsupported, line: line,
                arguments.callee.hasPrefix("method")
                    ? "\(arguments.callee) is not supported"
                    : "function '\(name)' is not supported")
        default: throw JinjaError(.evaluation, line: line, "\(value.kind) cannot be called")
        }
    }
}
