/// What stands inside of a tag.
extension Lexer {
    /// The words of a tag up to its end; whether white space after it goes.
    mutating func tag(
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
