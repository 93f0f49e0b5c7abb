import ByteIO
import TensorIR

/// Rewrites expressions in Oniguruma's syntax so that PCRE2 reads them alike.
///
/// | written | Oniguruma | PCRE2 with `UCP` | becomes |
/// |---|---|---|---|
/// | `\s` `\S` | White_Space | the same and U+180E | `[\p{Z}\t-\r\x{85}]` |
/// | `\h` `\H` | hexadecimal digit | horizontal space | `[0-9A-Fa-f]` |
/// | `[a[b]]` `[a&&b]` | union, intersection of sets | characters | refused |
///
/// Inside a set `\S` and `\H` stay as they are: a set cannot hold the complement of another.
enum OnigurumaSyntax {
    private static let space = #"\p{Z}\t-\r\x{85}"#
    private static let hexadecimal = "0-9A-Fa-f"

    static func translated(_ expression: String) throws(ModelError) -> String {
        let scalars = Array(expression.unicodeScalars)
        var result = String.UnicodeScalarView()
        var isInSet = false
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            if scalar == "\\" {
                guard index < scalars.count else {
                    throw refused(expression, "it ends in a backslash")
                }
                result.append(contentsOf: escape(scalars[index], isInSet: isInSet))
                index += 1
                continue
            }
            switch scalar {
            case "[" where !isInSet:
                isInSet = true
                result.append(scalar)
                // A bracket right behind the opening one stands for itself.
                if index < scalars.count, scalars[index] == "^" {
                    result.append("^")
                    index += 1
                }
                if index < scalars.count, scalars[index] == "]" {
                    result.append(contentsOf: #"\]"#.unicodeScalars)
                    index += 1
                }
                continue
            case "[":
                guard index < scalars.count, scalars[index] == ":" else {
                    throw refused(expression, "a set inside a set is not supported")
                }
            case "&" where isInSet && index < scalars.count && scalars[index] == "&":
                throw refused(expression, "the intersection of sets is not supported")
            case "]" where isInSet:
                // The bracket of `[:name:]` closes the name, not the set.
                isInSet = index > 1 && scalars[index - 2] == ":" && closesName(scalars, index - 2)
            default: break
            }
            result.append(scalar)
        }
        return String(result)
    }

    private static func escape(_ letter: Unicode.Scalar, isInSet: Bool) -> String.UnicodeScalarView
    {
        let text =
            switch (letter, isInSet) {
            case ("s", true): space
            case ("s", false): "[\(space)]"
            case ("S", false): "[^\(space)]"
            case ("h", true): hexadecimal
            case ("h", false): "[\(hexadecimal)]"
            case ("H", false): "[^\(hexadecimal)]"
            default: "\\" + String(Character(letter))
            }
        return text.unicodeScalars
    }

    /// Whether the colon at `place` belongs to a `[:name:]`.
    private static func closesName(_ scalars: [Unicode.Scalar], _ place: Int) -> Bool {
        var start = place - 1
        while start > 0, scalars[start].properties.isAlphabetic || scalars[start] == "^" {
            start -= 1
        }
        return start > 0 && scalars[start] == ":" && scalars[start - 1] == "["
    }

    private static func refused(_ expression: String, _ reason: String) -> ModelError {
        ModelError("pre-tokenizer expression '\(expression.escapedForDisplay)': \(reason)")
    }
}
