/// Cuts a template into text and tags, white space settled.
///
/// With the settings that chat templates are written for: a newline after a statement or comment goes
/// (`trim_blocks`), and so do blanks from the start of a line to a statement or comment
/// (`lstrip_blocks`). `-` inside a tag takes all white space on its side, `+` leaves what is there. One
/// newline at the template's end goes.
struct Lexer {
    let source: [UInt8]
    private(set) var place = 0
    private var line = 1
    private var pieces: [Piece] = []

    enum Kind { case output, statement, comment }

    static func pieces(of template: String) throws(JinjaError) -> [Piece] {
        // Jinja knows one kind of line end.
        var source: [UInt8] = []
        let bytes = Array(template.utf8)
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "\r") {
                let isPair = index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "\n")
                if !isPair { source.append(UInt8(ascii: "\n")) }
            } else {
                source.append(byte)
            }
        }
        if source.last == UInt8(ascii: "\n") { source.removeLast() }
        var lexer = Lexer(source: source)
        try lexer.run()
        return lexer.pieces
    }

    private init(source: [UInt8]) { self.source = source }

    private mutating func run() throws(JinjaError) {
        var textStart = 0
        // What the tag before did to the text that follows it.
        var trimsStart = false
        while place < source.count {
            guard let kind = opening() else {
                advance()
                continue
            }
            let tagStart = place
            let tagLine = line
            advance(2)
            let sign = peek(UInt8(ascii: "-")) || peek(UInt8(ascii: "+")) ? source[place] : nil
            if sign != nil { advance() }
            appendText(
                textStart..<tagStart, trimsStart: trimsStart, trimsEnd: sign == UInt8(ascii: "-"),
                stripsLine: kind != .output && sign == nil)
            switch kind {
            case .comment: trimsStart = try skipComment(from: tagLine)
            case .output, .statement:
                let (tokens, trims) = try tag(kind, from: tagLine)
                if kind == .statement, tokens == [.name("raw")] {
                    trimsStart = try raw(from: tagLine, trimsStart: trims)
                } else {
                    trimsStart = trims
                    pieces.append(
                        kind == .output
                            ? .output(tokens, line: tagLine) : .statement(tokens, line: tagLine))
                }
            }
            textStart = place
        }
        appendText(
            textStart..<source.count, trimsStart: trimsStart, trimsEnd: false, stripsLine: false)
    }

    private func opening() -> Kind? {
        guard peek(UInt8(ascii: "{")), place + 1 < source.count else { return nil }
        switch source[place + 1] {
        case UInt8(ascii: "{"): return .output
        case UInt8(ascii: "%"): return .statement
        case UInt8(ascii: "#"): return .comment
        default: return nil
        }
    }

    func peek(_ byte: UInt8, at offset: Int = 0) -> Bool {
        place + offset < source.count && source[place + offset] == byte
    }

    func follows(_ text: String) -> Bool { source[place...].starts(with: text.utf8) }

    mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where place < source.count {
            if source[place] == UInt8(ascii: "\n") { line += 1 }
            place += 1
        }
    }

    private mutating func appendText(
        _ range: Range<Int>, trimsStart: Bool, trimsEnd: Bool, stripsLine: Bool
    ) {
        var text = source[range]
        if trimsStart { text = text.drop(while: \.isWhitespace) }
        if trimsEnd {
            while text.last?.isWhitespace == true { text.removeLast() }
        } else if stripsLine {
            let blanks = text.reversed().prefix { $0 == UInt8(ascii: " ") || $0 == 9 }.count
            // Only where nothing but blanks stands before the tag in its line.
            let rest = text.dropLast(blanks)
            let startsLine =
                rest.isEmpty
                ? range.lowerBound == 0 || source[range.lowerBound - 1] == UInt8(ascii: "\n")
                : rest.last == UInt8(ascii: "\n")
            if startsLine { text = rest }
        }
        if !text.isEmpty { pieces.append(.text(String(decoding: text, as: UTF8.self))) }
    }

    /// Passes a statement's or comment's end, and the newline that goes with it.
    mutating func passEnd(_ length: Int, sign: UInt8?) -> Bool {
        advance(length)
        if sign == UInt8(ascii: "-") { return true }
        if sign == nil, peek(UInt8(ascii: "\n")) { advance() }
        return false
    }

    private mutating func skipComment(from start: Int) throws(JinjaError) -> Bool {
        while place < source.count {
            if follows("#}") {
                let before = source[place - 1]
                let isSign = before == UInt8(ascii: "-") || before == UInt8(ascii: "+")
                return passEnd(2, sign: isSign ? before : nil)
            }
            advance()
        }
        throw JinjaError(.syntax, line: start, "a comment has no end")
    }

    private mutating func raw(from start: Int, trimsStart: Bool) throws(JinjaError) -> Bool {
        let textStart = place
        while place < source.count {
            if follows("{%") {
                let tagStart = place
                advance(2)
                let sign = peek(UInt8(ascii: "-")) || peek(UInt8(ascii: "+")) ? source[place] : nil
                if sign != nil { advance() }
                var words = source[place...].drop(while: \.isWhitespace)
                if words.starts(with: Array("endraw".utf8)) {
                    words = words.dropFirst(6)
                    advance(words.startIndex - place)
                    let (tokens, trims) = try tag(.statement, from: line)
                    guard tokens.isEmpty else { continue }
                    appendText(
                        textStart..<tagStart, trimsStart: trimsStart,
                        trimsEnd: sign == UInt8(ascii: "-"), stripsLine: sign == nil)
                    return trims
                }
            } else {
                advance()
            }
        }
        throw JinjaError(.syntax, line: start, "'raw' has no 'endraw'")
    }
}
