/// Reads the words of a tag as expressions, with Jinja's precedence.
struct ExpressionParser {
    private let tokens: [Token]
    private var place = 0
    private var depth = 0
    private var wrapCount = 0
    let line: Int

    /// Parentheses within each other, and the like. Templates come from files, and the stack is finite.
    static let maximumDepth = 32
    /// Members, calls, filters, conditions: each makes an expression deeper by one.
    static let maximumWrapCount = 500

    init(_ tokens: [Token], line: Int) { (self.tokens, self.line) = (tokens, line) }

    // MARK: Words

    var next: Token? { place < tokens.count ? tokens[place] : nil }
    var isAtEnd: Bool { place == tokens.count }

    func syntaxError(_ detail: String) -> JinjaError { JinjaError(.syntax, line: line, detail) }

    func unexpected() -> JinjaError {
        syntaxError(next.map { "'\($0.text)' is not expected" } ?? "the tag ends too early")
    }

    mutating func accept(_ token: Token) -> Bool {
        guard next == token else { return false }
        place += 1
        return true
    }

    mutating func accept(symbol: String) -> Bool { accept(.symbol(symbol)) }
    mutating func accept(keyword: String) -> Bool { accept(.name(keyword)) }

    mutating func expect(symbol: String) throws(JinjaError) {
        guard accept(symbol: symbol) else { throw unexpected() }
    }

    mutating func name() throws(JinjaError) -> String {
        guard case .name(let name) = next else { throw unexpected() }
        place += 1
        return name
    }

    func expectEnd() throws(JinjaError) {
        guard isAtEnd else { throw unexpected() }
    }

    // MARK: Operators, loosest first

    mutating func expression() throws(JinjaError) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= ExpressionParser.maximumDepth else {
            throw JinjaError(.limitExceeded, line: line, "an expression is nested too deeply")
        }
        var result = try withoutCondition()
        while accept(keyword: "if") {
            try countWrap()
            let condition = try withoutCondition()
            let otherwise = accept(keyword: "else") ? try expression() : nil
            result = .conditional(condition: condition, then: result, otherwise: otherwise)
        }
        return result
    }

    private mutating func countWrap() throws(JinjaError) {
        wrapCount += 1
        guard wrapCount <= ExpressionParser.maximumWrapCount else {
            throw JinjaError(.limitExceeded, line: line, "a tag is too long")
        }
    }

    /// An expression that an `if` may follow which is not its own, as in `for`.
    mutating func withoutCondition() throws(JinjaError) -> Expression {
        var operands = [try conjunction()]
        while accept(keyword: "or") { operands.append(try conjunction()) }
        return operands.count == 1 ? operands[0] : .or(operands)
    }

    private mutating func conjunction() throws(JinjaError) -> Expression {
        var operands = [try inversion()]
        while accept(keyword: "and") { operands.append(try inversion()) }
        return operands.count == 1 ? operands[0] : .and(operands)
    }

    private mutating func inversion() throws(JinjaError) -> Expression {
        var count = 0
        while accept(keyword: "not") { count += 1 }
        let operand = try comparison()
        // Two of them make a Boolean of anything.
        return count == 0 ? operand : .not(count % 2 == 1 ? operand : .not(operand))
    }

    private mutating func comparison() throws(JinjaError) -> Expression {
        let left = try sum()
        var rest: [(symbol: String, operand: Expression)] = []
        while let symbol = comparisonSymbol() { rest.append((symbol, try sum())) }
        return rest.isEmpty ? left : .comparison(left, rest)
    }

    private mutating func comparisonSymbol() -> String? {
        for symbol in ["==", "!=", "<=", ">=", "<", ">"] where accept(symbol: symbol) {
            return symbol
        }
        if accept(keyword: "in") { return "in" }
        if next == .name("not"), place + 1 < tokens.count, tokens[place + 1] == .name("in") {
            place += 2
            return "not in"
        }
        return nil
    }

    private mutating func sum() throws(JinjaError) -> Expression {
        let first = try concatenation()
        var rest: [(symbol: String, operand: Expression)] = []
        while let symbol = accept(anyOf: ["+", "-"]) { rest.append((symbol, try concatenation())) }
        return rest.isEmpty ? first : .arithmetic(first, rest)
    }

    private mutating func concatenation() throws(JinjaError) -> Expression {
        let first = try product()
        var rest: [(symbol: String, operand: Expression)] = []
        while accept(symbol: "~") { rest.append(("~", try product())) }
        return rest.isEmpty ? first : .arithmetic(first, rest)
    }

    private mutating func product() throws(JinjaError) -> Expression {
        let first = try power()
        var rest: [(symbol: String, operand: Expression)] = []
        while let symbol = accept(anyOf: ["*", "/", "//", "%"]) {
            rest.append((symbol, try power()))
        }
        return rest.isEmpty ? first : .arithmetic(first, rest)
    }

    private mutating func power() throws(JinjaError) -> Expression {
        let first = try signed()
        var rest: [(symbol: String, operand: Expression)] = []
        while accept(symbol: "**") { rest.append(("**", try signed())) }
        return rest.isEmpty ? first : .arithmetic(first, rest)
    }

    private mutating func accept(anyOf symbols: [String]) -> String? {
        for symbol in symbols where accept(symbol: symbol) { return symbol }
        return nil
    }

    private mutating func signed() throws(JinjaError) -> Expression {
        var isNegative = false
        while let sign = accept(anyOf: ["-", "+"]) {
            if sign == "-" { isNegative.toggle() }
        }
        // Binds tighter than filters: `-1 | abs` is 1.
        let operand = try postfix(try primary())
        return try filtersAndTests(isNegative ? .negation(operand) : operand)
    }

    // MARK: What stands behind an operand

    private mutating func postfix(_ operand: Expression) throws(JinjaError) -> Expression {
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

    private mutating func filtersAndTests(
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

    // MARK: Operands

    private mutating func primary() throws(JinjaError) -> Expression {
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
