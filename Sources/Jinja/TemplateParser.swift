/// Reads a template's pieces as nested statements.
struct TemplateParser {
    private let pieces: [Piece]
    private var place = 0
    private var depth = 0
    private var loopDepth = 0

    /// Statements within each other.
    static let maximumDepth = 100

    static func nodes(of template: String) throws(JinjaError) -> [Node] {
        var parser = TemplateParser(pieces: try Lexer.pieces(of: template))
        let (nodes, end) = try parser.body(until: [], from: 1)
        precondition(end == nil)
        return nodes
    }

    private init(pieces: [Piece]) { self.pieces = pieces }

    /// The tag that ended a body, its keyword already read.
    private struct End {
        let keyword: String
        var words: ExpressionParser
    }

    /// Nodes up to a statement with one of these keywords, or, where there are none, the template's end.
    private mutating func body(
        until keywords: [String], from start: Int
    ) throws(JinjaError) -> (nodes: [Node], end: End?) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= TemplateParser.maximumDepth else {
            throw JinjaError(.limitExceeded, line: start, "statements are nested too deeply")
        }
        var nodes: [Node] = []
        while place < pieces.count {
            let piece = pieces[place]
            place += 1
            switch piece {
            case .text(let text): nodes.append(Node(kind: .text(text), line: start))
            case .output(let tokens, let line):
                var words = ExpressionParser(tokens, line: line)
                nodes.append(Node(kind: .output(try words.expression()), line: line))
                try words.expectEnd()
            case .statement(let tokens, let line):
                var words = ExpressionParser(tokens, line: line)
                let keyword = try words.name()
                if keywords.contains(keyword) {
                    return (nodes, End(keyword: keyword, words: words))
                }
                if let kind = try statement(keyword, &words) {
                    nodes.append(Node(kind: kind, line: line))
                } else {
                    nodes += try generation(words)
                }
            }
        }
        guard keywords.isEmpty else {
            let last = keywords.last ?? ""
            throw JinjaError(.syntax, line: start, "a statement has no '\(last)'")
        }
        return (nodes, nil)
    }

    /// nil for `generation`, which only marks what stands in it.
    private mutating func statement(
        _ keyword: String, _ words: inout ExpressionParser
    ) throws(JinjaError) -> Node.Kind? {
        switch keyword {
        case "if": return try condition(&words)
        case "for": return try loop(&words)
        case "set": return try set(&words)
        case "macro": return try macro(&words)
        case "generation": return nil
        case "break", "continue":
            try words.expectEnd()
            guard loopDepth > 0 else { throw words.syntaxError("'\(keyword)' is not in a loop") }
            return keyword == "break" ? .leave : .skip
        case "elif", "else", "endif", "endfor", "endset", "endmacro", "endgeneration":
            throw words.syntaxError("'\(keyword)' has nothing to belong to")
        default:
            throw JinjaError(
                .unsupported, line: words.line, "statement '\(keyword)' is not supported")
        }
    }

    private mutating func condition(
        _ words: inout ExpressionParser
    ) throws(JinjaError) -> Node.Kind {
        var cases: [(condition: Expression, body: [Node])] = []
        var condition = try words.expression()
        try words.expectEnd()
        while true {
            let (nodes, end) = try body(until: ["elif", "else", "endif"], from: words.line)
            cases.append((condition, nodes))
            guard var end else { return .condition(cases, otherwise: []) }
            if end.keyword == "elif" { condition = try end.words.expression() }
            try end.words.expectEnd()
            switch end.keyword {
            case "elif": continue
            case "else":
                let (otherwise, last) = try body(until: ["endif"], from: words.line)
                try last?.words.expectEnd()
                return .condition(cases, otherwise: otherwise)
            default: return .condition(cases, otherwise: [])
            }
        }
    }

    private mutating func loop(_ words: inout ExpressionParser) throws(JinjaError) -> Node.Kind {
        let isInParentheses = words.accept(symbol: "(")
        var targets = [try words.name()]
        while words.accept(symbol: ",") { targets.append(try words.name()) }
        if isInParentheses { try words.expect(symbol: ")") }
        guard words.accept(keyword: "in") else { throw words.unexpected() }
        let iterated = try words.withoutCondition()
        let condition = words.accept(keyword: "if") ? try words.expression() : nil
        if words.next == .name("recursive") {
            throw JinjaError(
                .unsupported, line: words.line, "'for … recursive' is not supported")
        }
        try words.expectEnd()
        loopDepth += 1
        var (nodes, end) = try body(until: ["else", "endfor"], from: words.line)
        loopDepth -= 1
        var otherwise: [Node] = []
        try end?.words.expectEnd()
        if end?.keyword == "else" {
            (otherwise, end) = try body(until: ["endfor"], from: words.line)
            try end?.words.expectEnd()
        }
        return .loop(
            Loop(
                targets: targets, iterated: iterated, condition: condition, body: nodes,
                otherwise: otherwise))
    }

    private mutating func set(_ words: inout ExpressionParser) throws(JinjaError) -> Node.Kind {
        var targets = [try target(&words)]
        while words.accept(symbol: ",") { targets.append(try target(&words)) }
        if words.accept(symbol: "=") {
            var values = [try words.expression()]
            while words.accept(symbol: ",") { values.append(try words.expression()) }
            try words.expectEnd()
            return .set(targets, values.count == 1 ? values[0] : .list(values))
        }
        guard words.isAtEnd, targets.count == 1 else {
            guard words.next == .symbol("|") else { throw words.unexpected() }
            throw JinjaError(
                .unsupported, line: words.line, "'set' of a block with a filter is not supported")
        }
        let (nodes, end) = try body(until: ["endset"], from: words.line)
        try end?.words.expectEnd()
        return .setBlock(targets[0], nodes)
    }

    private func target(_ words: inout ExpressionParser) throws(JinjaError) -> Target {
        let name = try words.name()
        return words.accept(symbol: ".") ? .attribute(name, try words.name()) : .name(name)
    }

    private mutating func macro(_ words: inout ExpressionParser) throws(JinjaError) -> Node.Kind {
        let name = try words.name()
        var parameters: [(name: String, standard: Expression?)] = []
        try words.expect(symbol: "(")
        while !words.accept(symbol: ")") {
            if !parameters.isEmpty { try words.expect(symbol: ",") }
            let parameter = try words.name()
            parameters.append(
                (parameter, words.accept(symbol: "=") ? try words.expression() : nil))
        }
        try words.expectEnd()
        let outerLoopDepth = loopDepth
        loopDepth = 0
        let (nodes, end) = try body(until: ["endmacro"], from: words.line)
        loopDepth = outerLoopDepth
        // The end may repeat the name.
        guard var end else { throw words.unexpected() }
        if !end.words.isAtEnd { _ = try end.words.name() }
        try end.words.expectEnd()
        return .macro(Macro(name: name, parameters: parameters, body: nodes))
    }

    private mutating func generation(_ words: ExpressionParser) throws(JinjaError) -> [Node] {
        try words.expectEnd()
        let (nodes, end) = try body(until: ["endgeneration"], from: words.line)
        try end?.words.expectEnd()
        return nodes
    }
}
