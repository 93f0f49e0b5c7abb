/// Operands, and what stands behind them.
extension ExpressionParser {
    mutating func postfix(_ operand: Expression) throws(JinjaError) -> Expression {
        var result = operand
        while true {
            if accept(symbol: ".") {
                if case .integer(let index) = next {
                    place += 1
                    result = .item(result, .integer(index))
                } else {
                    result = .attribute(result, try name())
                }
            } else if accept(symbol: "[") {
                result = try subscripted(result)
            } else if next == .symbol("(") {
                result = .call(result, try arguments())
            } else {
                return result
            }
            try countWrap()
        }
    }

    private mutating func subscripted(_ operand: Expression) throws(JinjaError) -> Expression {
        var bounds: [Expression?] = [nil]
        var isSlice = false
        while !accept(symbol: "]") {
            if accept(symbol: ":") {
                isSlice = true
                bounds.append(nil)
            } else {
                guard let last = bounds.last, last == nil else { throw unexpected() }
                bounds[bounds.count - 1] = try expression()
            }
        }
        guard bounds.count <= 3 else { throw syntaxError("a slice has at most three parts") }
        if isSlice {
            return .slice(
                operand, from: bounds[0], to: bounds[1], by: bounds.count > 2 ? bounds[2] : nil)
        }
        guard let index = bounds[0] else { throw syntaxError("'[]' has no index") }
        return .item(operand, index)
    }

    mutating func filtersAndTests(
        _ operand: Expression
    ) throws(JinjaError) -> Expression {
        var result = operand
        while true {
            if accept(symbol: "|") {
                try countWrap()
                let name = try name()
                result = .filter(
                    result, name, next == .symbol("(") ? try arguments() : Arguments())
            } else if accept(keyword: "is") {
                try countWrap()
                let isNegated = accept(keyword: "not")
                let test = Expression.test(result, try name(), try testArguments())
                result = isNegated ? .not(test) : test
            } else {
                return result
            }
        }
    }

    /// In parentheses, or one operand without: `is divisibleby 3`.
    private mutating func testArguments() throws(JinjaError) -> Arguments {
        switch next {
        case .symbol("("): return try arguments()
        case .name("else"), .name("or"), .name("and"), .name("is"), .name("if"), .name("in"),
            .name("not"):
            return Arguments()
        case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
            return Arguments(positional: [try postfix(try primary())])
        default: return Arguments()
        }
    }

    mutating func arguments() throws(JinjaError) -> Arguments {
        try expect(symbol: "(")
        var arguments = Arguments()
        while !accept(symbol: ")") {
            if !arguments.positional.isEmpty || !arguments.named.isEmpty {
                try expect(symbol: ",")
                if accept(symbol: ")") { break }
            }
            if case .name(let name) = next, place + 1 < tokens.count,
                tokens[place + 1] == .symbol("=")
            {
                place += 2
                arguments.named.append((name, try expression()))
            } else if next == .symbol("*") || next == .symbol("**") {
                throw JinjaError(
                    .unsupported, line: line, "unpacked arguments ('*') are not supported")
            } else {
                guard arguments.named.isEmpty else { throw unexpected() }
                arguments.positional.append(try expression())
            }
        }
        return arguments
    }

    mutating func primary() throws(JinjaError) -> Expression {
        guard let token = next else { throw unexpected() }
        place += 1
        switch token {
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(var text):
            // As in Python, strings side by side are one.
            while case .string(let more) = next {
                text += more
                place += 1
            }
            return .string(text)
        case .name("true"), .name("True"): return .bool(true)
        case .name("false"), .name("False"): return .bool(false)
        case .name("none"), .name("None"): return .none
        case .name(let name): return .name(name)
        case .symbol("("): return try parenthesized()
        case .symbol("["): return .list(try elements(until: "]"))
        case .symbol("{"): return try dictionary()
        case .symbol:
            place -= 1
            throw unexpected()
        }
    }

    /// An expression in parentheses, or a tuple, which is a list here.
    private mutating func parenthesized() throws(JinjaError) -> Expression {
        if accept(symbol: ")") { return .list([]) }
        let first = try expression()
        if accept(symbol: ")") { return first }
        try expect(symbol: ",")
        return .list([first] + (try elements(until: ")")))
    }

    private mutating func elements(until end: String) throws(JinjaError) -> [Expression] {
        var elements: [Expression] = []
        while !accept(symbol: end) {
            if !elements.isEmpty {
                try expect(symbol: ",")
                if accept(symbol: end) { break }
            }
            elements.append(try expression())
        }
        return elements
    }

    private mutating func dictionary() throws(JinjaError) -> Expression {
        var members: [(key: Expression, value: Expression)] = []
        while !accept(symbol: "}") {
            if !members.isEmpty {
                try expect(symbol: ",")
                if accept(symbol: "}") { break }
            }
            let key = try expression()
            try expect(symbol: ":")
            members.append((key, try expression()))
        }
        return .dictionary(members)
    }
}
