/// Reads expressions in the Ruby dialect of Oniguruma, which is its default.
///
/// Refused, each by name: references to groups, subroutine calls, conditions, absence, `\G`, `\K`,
/// `\X` and free spacing. No tokenizer has a use for them.
struct OnigurumaParser {
    private let scalars: [Unicode.Scalar]
    private var index = 0
    /// Whether a dot takes line feeds.
    private var dotTakesAll = false
    private var depth = 0

    /// Brackets inside brackets; each takes a frame or two of the stack.
    private static let maximumDepth = 200
    /// What Oniguruma allows.
    private static let maximumRepetition = 100_000

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func expression() throws(OnigurumaFault) -> OnigurumaExpression {
        guard !scalars.isEmpty else { throw OnigurumaFault("it is empty") }
        let result = try alternatives()
        guard index == scalars.count else { throw OnigurumaFault("')' without '('") }
        return result
    }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func skip(_ text: String) -> Bool {
        guard scalars[index...].starts(with: text.unicodeScalars) else { return false }
        index += text.unicodeScalars.count
        return true
    }

    private mutating func take() throws(OnigurumaFault) -> Unicode.Scalar {
        guard let scalar = next else { throw OnigurumaFault("it ends too early") }
        index += 1
        return scalar
    }

    // MARK: Structure

    /// Up to the closing bracket of the group, or the end.
    private mutating func alternatives() throws(OnigurumaFault) -> OnigurumaExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= OnigurumaParser.maximumDepth else {
            throw OnigurumaFault("more than \(OnigurumaParser.maximumDepth) brackets deep")
        }
        var branches: [OnigurumaExpression] = []
        repeat { branches.append(try sequence()) } while skip("|")
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(OnigurumaFault) -> OnigurumaExpression {
        var items: [OnigurumaExpression] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            guard let item = try item() else { continue }
            items.append(try repeated(item))
        }
        return items.count == 1 ? items[0] : .sequence(items)
    }

    private mutating func item() throws(OnigurumaFault) -> OnigurumaExpression? {
        switch try take() {
        case "(": return try group()
        case "[": return .set(try set())
        case ".":
            return .set(OnigurumaSet(dotTakesAll ? [] : [OnigurumaSet.lineFeed], isNegated: true))
        case "^": return .place(.lineStart)
        case "$": return .place(.lineEnd)
        case "\\": return try escape()
        case "*", "+", "?": throw OnigurumaFault("nothing to repeat")
        case let scalar: return .set(OnigurumaSet([.range(scalar.value...scalar.value)]))
        }
    }

    private mutating func group() throws(OnigurumaFault) -> OnigurumaExpression? {
        func closed(
            _ body: OnigurumaExpression
        ) throws(OnigurumaFault) -> OnigurumaExpression {
            guard skip(")") else { throw OnigurumaFault("'(' without ')'") }
            return body
        }
        guard skip("?") else { return try closed(alternatives()) }
        if skip("#") {
            while try take() != ")" {}
            return nil
        }
        if skip(":") { return try closed(alternatives()) }
        if skip(">") { return try closed(.atomic(alternatives())) }
        for (mark, isBehind, isNegative) in [
            ("=", false, false), ("!", false, true), ("<=", true, false), ("<!", true, true),
        ] where skip(mark) {
            return try closed(
                .look(alternatives(), isBehind: isBehind, isNegative: isNegative))
        }
        if skip("<") {
            while try take() != ">" {}
            return try closed(alternatives())
        }
        return try options()
    }

    /// `(?i)` and `(?i:…)`; the former holds to the end of the group, alternatives included.
    private mutating func options() throws(OnigurumaFault) -> OnigurumaExpression? {
        var isOn = true
        var ignoresCase: Bool?
        let outerDotTakesAll = dotTakesAll
        defer { dotTakesAll = outerDotTakesAll }
        while true {
            switch try take() {
            case "-": isOn = false
            case "i": ignoresCase = isOn
            case "m": dotTakesAll = isOn
            case let end where end == ":" || end == ")":
                let body = try alternatives()
                if end == ":", !skip(")") { throw OnigurumaFault("'(' without ')'") }
                return ignoresCase.map { .letterCase(body, isIgnored: $0) } ?? body
            case let other: throw OnigurumaFault("'(?\(other)' is not supported")
            }
        }
    }

    private mutating func repeated(
        _ item: OnigurumaExpression
    ) throws(OnigurumaFault) -> OnigurumaExpression {
        var result = item
        while let repetition = try repetition() { result = .repetition(result, repetition) }
        return result
    }

    private mutating func repetition() throws(OnigurumaFault) -> OnigurumaRepetition? {
        var result: OnigurumaRepetition
        switch next {
        case "*": result = OnigurumaRepetition(minimum: 0, maximum: nil)
        case "+": result = OnigurumaRepetition(minimum: 1, maximum: nil)
        case "?": result = OnigurumaRepetition(minimum: 0, maximum: 1)
        case "{":
            guard let interval = try interval() else { return nil }
            // In Ruby these do not mean what they mean elsewhere.
            guard next != "?", next != "+" else {
                throw OnigurumaFault("'{…}' followed by '?' or '+' is not supported")
            }
            return interval
        default: return nil
        }
        index += 1
        if skip("?") { result.kind = .lazy } else if skip("+") { result.kind = .possessive }
        return result
    }

    /// `{2}`, `{2,}`, `{,3}`, `{2,3}`; nil for any other brace, which stands for itself.
    private mutating func interval() throws(OnigurumaFault) -> OnigurumaRepetition? {
        let start = index
        index += 1
        let minimum = try number()
        let maximum = skip(",") ? try number() : minimum
        guard minimum != nil || maximum != nil, skip("}") else {
            index = start
            return nil
        }
        guard maximum ?? .max >= minimum ?? 0 else { throw OnigurumaFault("'{…}' runs backwards") }
        return OnigurumaRepetition(minimum: minimum ?? 0, maximum: maximum)
    }

    private mutating func number() throws(OnigurumaFault) -> Int? {
        var value: Int?
        while let scalar = next, let digit = hexadecimalValue(of: scalar), digit < 10 {
            index += 1
            value = (value ?? 0) * 10 + Int(digit)
            guard value ?? 0 <= OnigurumaParser.maximumRepetition else {
                throw OnigurumaFault("more than \(OnigurumaParser.maximumRepetition) repetitions")
            }
        }
        return value
    }

    // MARK: Escapes

    /// What follows a backslash outside of a set.
    private mutating func escape() throws(OnigurumaFault) -> OnigurumaExpression {
        let places: [Unicode.Scalar: OnigurumaPlace] = [
            "A": .textStart, "z": .textEnd, "Z": .textEndOrLastLineFeed, "b": .wordBoundary,
            "B": .noWordBoundary,
        ]
        if let scalar = next, let place = places[scalar] {
            index += 1
            return .place(place)
        }
        if skip("R") {
            let feeds = OnigurumaSet([
                .range(0x0A...0x0D), .range(0x85...0x85), .range(0x2028...0x2029),
            ])
            return .atomic(.alternatives([OnigurumaExpression(literal: "\r\n"), .set(feeds)]))
        }
        if skip("w") { return .set(OnigurumaSet.bareWord) }
        if skip("W") { return .set(OnigurumaSet(OnigurumaSet.bareWord.members, isNegated: true)) }
        return .set(OnigurumaSet([try escapedMember()]))
    }

    /// A character or a class behind a backslash.
    private mutating func escapedMember() throws(OnigurumaFault) -> OnigurumaSet.Member {
        let letter = try take()
        switch letter {
        case "s", "S": return .space(isNegated: letter == "S")
        case "w", "W": return .word(isNegated: letter == "W")
        case "d", "D": return .property("Nd", isNegated: letter == "D")
        case "h", "H":
            let digits = OnigurumaSet([
                .range(0x30...0x39), .range(0x41...0x46), .range(0x61...0x66),
            ])
            return .set(OnigurumaSet(digits.members, isNegated: letter == "H"))
        case "p", "P": return try property(isNegated: letter == "P")
        default:
            let value = try escapedValue(letter)
            return .range(value...value)
        }
    }

    private mutating func escapedValue(_ letter: Unicode.Scalar) throws(OnigurumaFault) -> UInt32 {
        let controls: [Unicode.Scalar: UInt32] = [
            "t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D, "a": 0x07, "e": 0x1B, "0": 0,
        ]
        if let control = controls[letter] { return control }
        switch letter {
        case "u": return try hexadecimal(digits: 4)
        case "x" where skip("{"):
            var value: UInt32 = 0
            while !skip("}") {
                guard let digit = hexadecimalValue(of: try take()), value <= 0xFFFF_FFF else {
                    throw OnigurumaFault(#"'\x{…}' must hold a code point"#)
                }
                value = value << 4 | digit
            }
            return try codePoint(value)
        case "x":
            let value = try hexadecimal(digits: 2)
            guard value < 0x80 else {
                throw OnigurumaFault(#"'\x' of a byte that is no character"#)
            }
            return value
        case "A"..."Z", "a"..."z", "1"..."9":
            throw OnigurumaFault("'\\\(letter)' is not supported")
        default: return letter.value
        }
    }

    private mutating func hexadecimal(digits: Int) throws(OnigurumaFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = hexadecimalValue(of: try take()) else {
                throw OnigurumaFault("a backslash wants \(digits) hexadecimal digits")
            }
            value = value << 4 | digit
        }
        return try codePoint(value)
    }

    private func codePoint(_ value: UInt32) throws(OnigurumaFault) -> UInt32 {
        guard Unicode.Scalar(value) != nil else {
            throw OnigurumaFault("a code point that is no character")
        }
        return value
    }

    private func hexadecimalValue(of scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "A"..."F": scalar.value - 0x41 + 10
        case "a"..."f": scalar.value - 0x61 + 10
        default: nil
        }
    }

    /// `\p{L}`, `\p{^L}`.
    private mutating func property(
        isNegated: Bool
    ) throws(OnigurumaFault) -> OnigurumaSet.Member {
        guard skip("{") else { throw OnigurumaFault(#"'\p' without '{'"#) }
        let isInverted = skip("^")
        var name = String.UnicodeScalarView()
        while true {
            let scalar = try take()
            if scalar == "}" { break }
            name.append(scalar)
        }
        return try UnicodePropertyName.member(
            named: String(name), isNegated: isNegated != isInverted)
    }

    // MARK: Sets

    /// Behind the opening bracket, up to and with the closing one.
    private mutating func set() throws(OnigurumaFault) -> OnigurumaSet {
        depth += 1
        defer { depth -= 1 }
        guard depth <= OnigurumaParser.maximumDepth else {
            throw OnigurumaFault("more than \(OnigurumaParser.maximumDepth) brackets deep")
        }
        let isNegated = skip("^")
        var parts: [[OnigurumaSet.Member]] = [[]]
        var isFirst = true
        while true {
            // A bracket right behind the opening one stands for itself.
            if !isFirst, skip("]") { break }
            isFirst = false
            if skip("&&") {
                parts.append([])
            } else {
                parts[parts.count - 1].append(try member())
            }
        }
        guard parts.count > 1 else { return OnigurumaSet(parts[0], isNegated: isNegated) }
        let intersection = parts.map { OnigurumaSet($0) }
        return OnigurumaSet([.intersection(intersection)], isNegated: isNegated)
    }

    private mutating func member() throws(OnigurumaFault) -> OnigurumaSet.Member {
        let scalar = try take()
        var first: OnigurumaSet.Member
        switch scalar {
        case "[" where next == ":":
            if let named = try namedClass() { return named }
            return .set(try set())
        case "[": return .set(try set())
        case "\\" where skip("b"): first = .range(0x08...0x08)
        case "\\": first = try escapedMember()
        default: first = .range(scalar.value...scalar.value)
        }
        guard case .range(let start) = first, next == "-", index + 1 < scalars.count,
            scalars[index + 1] != "]"
        else { return first }
        index += 1
        let last = try take()
        guard last != "[" else { throw OnigurumaFault("a range that ends in a set") }
        let end = last == "\\" ? try escapedMember() : .range(last.value...last.value)
        guard case .range(let final) = end, start.lowerBound <= final.lowerBound else {
            throw OnigurumaFault("a range that runs backwards")
        }
        first = .range(start.lowerBound...final.lowerBound)
        return first
    }

    /// `[:alpha:]`, `[:^alpha:]`; nil where the colon is only a colon.
    private mutating func namedClass() throws(OnigurumaFault) -> OnigurumaSet.Member? {
        let start = index
        index += 1
        let isNegated = skip("^")
        var name = ""
        while let scalar = next, scalar.properties.isAlphabetic {
            name.unicodeScalars.append(scalar)
            index += 1
        }
        guard skip(":]") else {
            index = start
            return nil
        }
        return try UnicodePropertyName.member(
            named: name, isNegated: isNegated, isBracketed: true)
    }
}
