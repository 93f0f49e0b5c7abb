/// Python's functions of strings, which see code points and compare them exactly.
extension String {
    func utf8Contains(_ part: String) -> Bool { firstOffset(of: part) != nil }

    /// Where `part` first stands, in bytes.
    func firstOffset(of part: String) -> Int? {
        let (bytes, wanted) = (Array(utf8), Array(part.utf8))
        guard wanted.count <= bytes.count else { return nil }
        return (0...bytes.count - wanted.count).first {
            bytes[$0..<$0 + wanted.count].elementsEqual(wanted)
        }
    }

    /// The parts between occurrences of a separator, which is not empty, with at most `limit` cuts.
    func parts(separatedBy separator: String, limit: Int = .max) -> [String] {
        let (bytes, wanted) = (Array(utf8), Array(separator.utf8))
        var parts: [String] = []
        var (start, place) = (0, 0)
        while parts.count < limit, place + wanted.count <= bytes.count {
            if bytes[place..<place + wanted.count].elementsEqual(wanted) {
                parts.append(String(decoding: bytes[start..<place], as: UTF8.self))
                place += wanted.count
                start = place
            } else {
                place += 1
            }
        }
        parts.append(String(decoding: bytes[start...], as: UTF8.self))
        return parts
    }

    /// Without white space, or some characters, at the ends.
    func stripped(of characters: String? = nil, left: Bool = true, right: Bool = true) -> String {
        let unwanted = characters.map { Set($0.unicodeScalars) }
        func isUnwanted(_ scalar: UnicodeScalar) -> Bool {
            unwanted?.contains(scalar) ?? scalar.properties.isWhitespace
        }
        var scalars = unicodeScalars[...]
        if left { scalars = scalars.drop(while: isUnwanted) }
        if right { while let last = scalars.last, isUnwanted(last) { scalars.removeLast() } }
        return String(scalars)
    }

    /// Each word's first letter in upper case, the others in lower case.
    var titled: String {
        var result = ""
        var isInWord = false
        for character in self {
            let isLetter = character.isLetter
            result +=
                isLetter && !isInWord ? character.uppercased() : character.lowercased()
            isInWord = isLetter
        }
        return result
    }

    var capitalizedOnce: String {
        first.map { $0.uppercased() + dropFirst().lowercased() } ?? ""
    }

    func replacing(
        _ old: String, with new: String, limit: Int, _ arguments: CallArguments
    ) throws(JinjaError) -> String {
        guard !old.isEmpty else {
            throw JinjaError(
                .unsupported, line: arguments.line,
                "\(arguments.callee) of an empty string is not supported")
        }
        let parts = parts(separatedBy: old, limit: limit)
        guard new.utf8.count <= Operators.maximumCount / parts.count else {
            throw JinjaError(
                .limitExceeded, line: arguments.line, "\(arguments.callee) makes too much text")
        }
        return parts.joined(separator: new)
    }
}
