/// Reads the words of a tag as expressions, with Jinja's precedence.
struct ExpressionParser {
    let tokens: [Token]
    var place = 0
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

    mutating func countWrap() throws(JinjaError) {
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
}
