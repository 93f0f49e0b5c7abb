import OrderedCollections

extension JSON {
    /// How deep arrays and objects may nest. The recursion below is bounded by it.
    public static let maximumDepth = 128

    /// Parses one document and nothing after it.
    ///
    /// Stricter than most: a key that stands twice in an object is an error, because two readers
    /// could see two different files.
    /// - Parameters:
    ///   - bytes: the whole document, UTF-8.
    ///   - subject: what the text is, for errors: `config.json`.
    ///   - base: where the text starts in its file, so that errors count from the file's start.
    /// - Throws: `FormatError` (`malformed`, `duplicateName`, `limitExceeded`, `truncated`).
    public init(
        parsing bytes: UnsafeRawBufferPointer, subject: String, base: Int = 0
    ) throws(FormatError) {
        var parser = JSONParser(bytes: bytes, subject: subject, base: base)
        self = try parser.document()
    }

    /// Parses one document held in an array.
    public init(parsing bytes: [UInt8], subject: String) throws(FormatError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(FormatError) in try JSON(parsing: buffer, subject: subject) }
        }
        self = try result.get()
    }
}

private struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let subject: String
    let base: Int
    var position = 0

    mutating func document() throws(FormatError) -> JSON {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("text after the end of the document") }
        return value
    }

    private func failure(
        _ detail: String, _ code: FormatError.Code = .malformed, at place: Int? = nil
    ) -> FormatError {
        FormatError(code, in: subject, at: base + (place ?? position), detail)
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private func peek() throws(FormatError) -> UInt8 {
        guard position < bytes.count else {
            throw failure("the text ends inside a value", .truncated)
        }
        return bytes[position]
    }

    private mutating func value(depth: Int) throws(FormatError) -> JSON {
        skipSpace()
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        // Python's json module writes these, and so do configurations in the wild.
        case UInt8(ascii: "N"): return try literal("NaN", .number(.nan))
        case UInt8(ascii: "I"): return try literal("Infinity", .number(.infinity))
        default: return try number()
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSON) throws(FormatError) -> JSON {
        let length = word.utf8CodeUnitCount
        guard length <= bytes.count - position,
            (0..<length).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
        else { throw failure("not a JSON value") }
        position += length
        return value
    }

    private mutating func object(depth: Int) throws(FormatError) -> JSON {
        try checkDepth(depth)
        position += 1
        var members = JSON.Members()
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            let keyPlace = position
            guard try peek() == UInt8(ascii: "\"") else { throw failure("a key must be a string") }
            let key = ExactString(try string())
            skipSpace()
            guard try peek() == UInt8(ascii: ":") else { throw failure("':' expected after a key") }
            position += 1
            let member = try value(depth: depth + 1)
            guard members.updateValue(member, forKey: key) == nil else {
                throw failure(
                    "key '\(key.escapedForDisplay)' stands twice", .duplicateName, at: keyPlace)
            }
            if try !another(closing: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws(FormatError) -> JSON {
        try checkDepth(depth)
        position += 1
        var elements: [JSON] = []
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            if try !another(closing: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Steps over a comma (true) or the closing bracket (false).
    private mutating func another(closing: UInt8) throws(FormatError) -> Bool {
        skipSpace()
        let byte = try peek()
        guard byte == UInt8(ascii: ",") || byte == closing else {
            throw failure("',' or '\(Character(UnicodeScalar(closing)))' expected")
        }
        position += 1
        return byte != closing
    }

    private func checkDepth(_ depth: Int) throws(FormatError) {
        guard depth < JSON.maximumDepth else {
            throw failure("nested deeper than \(JSON.maximumDepth) levels", .limitExceeded)
        }
    }

    private mutating func string() throws(FormatError) -> String {
        let start = position
        position += 1
        // Most strings have no escape: find the end, then validate the run once.
        while try peek() != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\") {
            guard bytes[position] >= 0x20 else { throw failure("control character in a string") }
            position += 1
        }
        if bytes[position] == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(
                UnsafeRawBufferPointer(rebasing: bytes[start + 1..<position]), at: start)
        }
        return try escapedString(from: start)
    }

    private func text(
        _ run: UnsafeRawBufferPointer, at start: Int
    ) throws(FormatError) -> String {
        guard let text = String(utf8: run) else {
            throw failure("a string that is not UTF-8", at: start)
        }
        return text
    }

    private mutating func escapedString(from start: Int) throws(FormatError) -> String {
        var units = [UInt8](bytes[start + 1..<position])
        while true {
            let byte = try peek()
            position += 1
            if byte == UInt8(ascii: "\"") { break }
            guard byte >= 0x20 else { throw failure("control character in a string") }
            guard byte == UInt8(ascii: "\\") else {
                units.append(byte)
                continue
            }
            let escape = try peek()
            position += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(escape)
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"): units.append(contentsOf: Array(String(try scalar()).utf8))
            default: throw failure("unknown escape in a string")
            }
        }
        guard let text = String(validating: units, as: UTF8.self) else {
            throw failure("a string that is not UTF-8", at: start)
        }
        return text
    }

    /// A `\u` escape, with its second half where it is a surrogate pair.
    private mutating func scalar() throws(FormatError) -> Character {
        let first = try hexadecimal()
        if let scalar = UnicodeScalar(UInt32(first)) { return Character(scalar) }
        guard first < 0xDC00, bytes.count - position >= 6,
            bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
        else { throw failure("half of a surrogate pair") }
        position += 2
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = UnicodeScalar(
                0x10000 + (UInt32(first) - 0xD800) << 10 + UInt32(second) - 0xDC00)
        else { throw failure("half of a surrogate pair") }
        return Character(scalar)
    }

    private mutating func hexadecimal() throws(FormatError) -> UInt16 {
        guard bytes.count - position >= 4,
            let digits = String(validating: bytes[position..<position + 4], as: UTF8.self),
            digits.allSatisfy(\.isHexDigit), let value = UInt16(digits, radix: 16)
        else { throw failure("four hexadecimal digits expected") }
        position += 4
        return value
    }

    private mutating func number() throws(FormatError) -> JSON {
        let start = position
        if let id = plainInteger() { return .integer(id) }
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
                UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                position += 1
            default:
                return try number(from: start)
            }
        }
        return try number(from: start)
    }

    /// Steps over digits that are a number by themselves, which the ids of a vocabulary are.
    private mutating func plainInteger() -> Int? {
        var (end, value) = (position, 0)
        while end < bytes.count, end - position < 18, bytes[end] &- 0x30 <= 9 {
            value = value * 10 + Int(bytes[end] - 0x30)
            end += 1
        }
        guard end > position, end < bytes.count, bytes[position] != 0x30 || end == position + 1
        else { return nil }
        switch bytes[end] {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), 0x20, 0x09, 0x0A, 0x0D: break
        default: return nil
        }
        position = end
        return value
    }

    private mutating func number(from start: Int) throws(FormatError) -> JSON {
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if text == "-", position < bytes.count, bytes[position] == UInt8(ascii: "I") {
            return try literal("Infinity", .number(-.infinity))
        }
        let digits = text.drop { $0 == "-" }
        let hasLeadingZero = digits.hasPrefix("0") && digits.dropFirst().first?.isNumber == true
        guard let first = digits.first, first.isNumber, text.last?.isNumber == true,
            !hasLeadingZero, text.prefix(2) != "--"
        else { throw failure("not a JSON value", at: start) }
        if let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text) else { throw failure("not a number", at: start) }
        return .number(number)
    }
}
