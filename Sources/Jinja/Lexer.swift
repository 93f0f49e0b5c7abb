/// Cuts a template into text and tags, white space settled.
///
/// With the settings that chat templates are written for: a newline after a statement or comment goes
/// (`trim_blocks`), and so do blanks from the start of a line to a statement or comment
/// (`lstrip_blocks`). `-` inside a tag takes all white space on its side, `+` leaves what is there. One
/// newline at the template's end goes.
struct Lexer {
    private let source: [UInt8]
    private var place = 0
    private var line = 1
    private var pieces: [Piece] = []

    private enum Kind { case output, statement, comment }

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

    private func peek(_ byte: UInt8, at offset: Int = 0) -> Bool {
        place + offset < source.count && source[place + offset] == byte
    }

    private func follows(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { source[place...].starts(with: $0) }
    }

    private mutating func advance(_ count: Int = 1) {
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
    private mutating func passEnd(_ length: Int, sign: UInt8?) -> Bool {
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

    /// The words of a tag up to its end; whether white space after it goes.
    private mutating func tag(
        _ kind: Kind, from start: Int
    ) throws(JinjaError) -> ([Token], Bool) {
        var tokens: [Token] = []
        var open: [UInt8] = []
        let end: [UInt8] = Array((kind == .output ? "}}" : "%}").utf8)
        while place < source.count {
            let byte = source[place]
            if byte.isWhitespace {
                advance()
                continue
            }
            if open.isEmpty {
                if source[place...].starts(with: end) {
                    if kind == .output {
                        advance(2)
                        return (tokens, false)
                    }
                    return (tokens, passEnd(2, sign: nil))
                }
                let isSign =
                    byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") && kind == .statement
                if isSign, source[(place + 1)...].starts(with: end) {
                    return (tokens, passEnd(3, sign: byte))
                }
            }
            if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                tokens.append(.string(try string(from: start)))
            } else if byte.isNameStart {
                tokens.append(.name(take { $0.isNameStart || $0.isDigit }))
            } else if byte.isDigit {
                tokens.append(try number(from: start))
            } else {
                tokens.append(try symbol(&open, from: start))
            }
        }
        throw JinjaError(.syntax, line: start, "a tag has no end")
    }

    private mutating func take(_ belongs: (UInt8) -> Bool) -> String {
        let range = place..<(source[place...].firstIndex { !belongs($0) } ?? source.count)
        advance(range.count)
        return String(decoding: source[range], as: UTF8.self)
    }

    private mutating func symbol(
        _ open: inout [UInt8], from start: Int
    ) throws(JinjaError) -> Token {
        for operatorText in ["**", "//", "==", "!=", "<=", ">="] where follows(operatorText) {
            advance(2)
            return .symbol(operatorText)
        }
        let byte = source[place]
        guard "+-*/%~<>=.,:|()[]{}".utf8.contains(byte) else {
            let rest = String(decoding: source[place...].prefix(4), as: UTF8.self)
            throw JinjaError(
                .syntax, line: start, "'\(rest.first.map(String.init) ?? "")' is not expected")
        }
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): open.append(byte)
        case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): _ = open.popLast()
        default: break
        }
        advance()
        return .symbol(String(UnicodeScalar(byte)))
    }

    private func follows(_ text: String) -> Bool { source[place...].starts(with: text.utf8) }

    private mutating func number(from start: Int) throws(JinjaError) -> Token {
        var text = take { $0.isDigit || $0 == UInt8(ascii: "_") }
        var isFraction = false
        if peek(UInt8(ascii: ".")), place + 1 < source.count, source[place + 1].isDigit {
            isFraction = true
            advance()
            text += "." + take { $0.isDigit || $0 == UInt8(ascii: "_") }
        }
        if peek(UInt8(ascii: "e")) || peek(UInt8(ascii: "E")) {
            isFraction = true
            advance()
            text += "e"
            if peek(UInt8(ascii: "-")) || peek(UInt8(ascii: "+")) {
                text += String(UnicodeScalar(source[place]))
                advance()
            }
            text += take(\.isDigit)
        }
        text.removeAll { $0 == "_" }
        if !isFraction, let integer = Int(text) { return .integer(integer) }
        if isFraction, let number = Double(text) { return .number(number) }
        throw JinjaError(.syntax, line: start, "'\(text)' is no number that fits")
    }

    private mutating func string(from start: Int) throws(JinjaError) -> String {
        let quote = source[place]
        advance()
        var bytes: [UInt8] = []
        while place < source.count, source[place] != quote {
            if source[place] == UInt8(ascii: "\\") {
                advance()
                try appendEscape(to: &bytes, from: start)
            } else {
                bytes.append(source[place])
                advance()
            }
        }
        guard place < source.count else {
            throw JinjaError(.syntax, line: start, "a string has no end")
        }
        advance()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Python's escapes; a backslash before anything else stays.
    private mutating func appendEscape(
        to bytes: inout [UInt8], from start: Int
    ) throws(JinjaError) {
        guard place < source.count else { return }
        let byte = source[place]
        advance()
        switch byte {
        case UInt8(ascii: "n"): bytes.append(10)
        case UInt8(ascii: "t"): bytes.append(9)
        case UInt8(ascii: "r"): bytes.append(13)
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        case UInt8(ascii: "v"): bytes.append(11)
        case UInt8(ascii: "a"): bytes.append(7)
        case UInt8(ascii: "0"): bytes.append(0)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(byte)
        case UInt8(ascii: "\n"): break
        case UInt8(ascii: "x"): try appendScalar(digits: 2, to: &bytes, from: start)
        case UInt8(ascii: "u"): try appendScalar(digits: 4, to: &bytes, from: start)
        case UInt8(ascii: "U"): try appendScalar(digits: 8, to: &bytes, from: start)
        default: bytes += [UInt8(ascii: "\\"), byte]
        }
    }

    private mutating func appendScalar(
        digits: Int, to bytes: inout [UInt8], from start: Int
    ) throws(JinjaError) {
        let text = String(decoding: source[place...].prefix(digits), as: UTF8.self)
        guard text.utf8.count == digits, let value = UInt32(text, radix: 16),
            let scalar = UnicodeScalar(value)
        else {
            throw JinjaError(.syntax, line: start, "'\(text)' is no character in hexadecimal")
        }
        bytes += String(Character(scalar)).utf8
        advance(digits)
    }
}

extension UInt8 {
    /// White space that may stand between the words of a tag, and that `-` takes away.
    var isWhitespace: Bool { self == 32 || (9...13).contains(self) }
    var isDigit: Bool { (48...57).contains(self) }
    /// Bytes beyond ASCII are letters as far as names are concerned.
    var isNameStart: Bool {
        (65...90).contains(self) || (97...122).contains(self) || self == 95 || self >= 128
    }
}
