/// Writes an expression so that PCRE2, with `UTF`, `UCP` and `MULTILINE`, matches what Oniguruma does.
///
/// | here | Oniguruma | PCRE2 | becomes |
/// |---|---|---|---|
/// | `\s` | White_Space | the same and U+180E | `[\p{Z}\t-\r\x{85}]` |
/// | `\w`, `\b` | marks and connectors, too | letters, numbers, `_` | sets and looks around |
/// | `\p{Han}` | the script | the script's extensions | `\p{sc:Han}` |
/// | `[a[b]]`, `[a&&b]` | union, intersection | characters | alternatives, looks ahead |
/// | `\h`, `\v` | hexadecimal digit, U+000B | kinds of space | ranges |
extension OnigurumaExpression {
    var pcre2: String {
        switch self {
        case .set(let set): set.pcre2
        case .sequence(let items): items.isEmpty ? "(?:)" : items.map(\.pcre2).joined()
        case .alternatives(let branches):
            "(?:" + branches.map(\.pcre2).joined(separator: "|") + ")"
        case .repetition(.set(let set), let repetition): set.pcre2 + repetition.pcre2
        case .repetition(let body, let repetition): "(?:\(body.pcre2))\(repetition.pcre2)"
        case .look(let body, let isBehind, let isNegative):
            "(?\(isBehind ? "<" : "")\(isNegative ? "!" : "=")\(body.pcre2))"
        case .atomic(let body): "(?>\(body.pcre2))"
        case .letterCase(let body, let isIgnored): "(?\(isIgnored ? "" : "-")i:\(body.pcre2))"
        case .place(let place): place.pcre2
        }
    }
}

extension OnigurumaRepetition {
    fileprivate var pcre2: String {
        let count =
            switch (minimum, maximum) {
            case (0, nil): "*"
            case (1, nil): "+"
            case (0, 1): "?"
            case (let minimum, let maximum?): "{\(minimum),\(maximum)}"
            case (let minimum, nil): "{\(minimum),}"
            }
        return switch kind {
        case .greedy: count
        case .lazy: count + "?"
        case .possessive: count + "+"
        }
    }
}

extension OnigurumaPlace {
    fileprivate var pcre2: String {
        let word = OnigurumaSet.bareWord.pcre2
        let boundary = "(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word))"
        return switch self {
        case .lineStart: "^"
        case .lineEnd: "$"
        case .textStart: #"\A"#
        case .textEnd: #"\z"#
        case .textEndOrLastLineFeed: #"\Z"#
        case .wordBoundary: "(?:\(boundary))"
        case .noWordBoundary: "(?!\(boundary))"
        }
    }
}

extension OnigurumaSet {
    /// One character of the set; in brackets of some kind, or a character alone.
    var pcre2: String {
        var simple = ""
        var others: [String] = []
        collect(&simple, &others)
        if members.count == 1, !isNegated, case .range(let range) = members[0], range.count == 1 {
            return OnigurumaSet.spelling(range.lowerBound)
        }
        if others.isEmpty {
            if simple.isEmpty { return isNegated ? "(?s:.)" : "(?!)" }
            return "[\(isNegated ? "^" : "")\(simple)]"
        }
        if !simple.isEmpty { others.insert("[\(simple)]", at: 0) }
        let union = "(?:\(others.joined(separator: "|")))"
        return isNegated ? "(?:(?!\(union))(?s:.))" : union
    }

    /// Sorts the members into those that may stand in brackets together, and the rest.
    private func collect(_ simple: inout String, _ others: inout [String]) {
        for member in members {
            switch member {
            case .range(let range):
                simple += OnigurumaSet.spelling(range.lowerBound)
                if range.count > 1 { simple += "-" + OnigurumaSet.spelling(range.upperBound) }
            case .property(let name, let isNegated):
                simple += (isNegated ? #"\P{"# : #"\p{"#) + name + "}"
            case .space(let isNegated):
                let space = #"\p{Z}\t-\r\x{85}"#
                if isNegated { others.append("[^\(space)]") } else { simple += space }
            case .word(let isNegated):
                let word = #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"#
                if isNegated { others.append("[^\(word)]") } else { simple += word }
            case .set(let set) where !set.isNegated: set.collect(&simple, &others)
            case .set(let set): others.append(set.pcre2)
            case .intersection(let sets):
                let looks = sets.dropLast().map { "(?=\($0.pcre2))" }.joined()
                others.append("(?:\(looks)\(sets.last?.pcre2 ?? "(?!)"))")
            }
        }
    }

    /// Letters, digits and whatever is not ASCII as they are, all else by number.
    private static func spelling(_ value: UInt32) -> String {
        guard let scalar = Unicode.Scalar(value) else { return "" }
        switch scalar {
        case "0"..."9", "A"..."Z", "a"..."z": return String(Character(scalar))
        default: return #"\x{"# + String(value, radix: 16) + "}"
        }
    }
}
