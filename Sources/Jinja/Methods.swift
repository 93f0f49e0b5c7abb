import OrderedCollections

/// Python's methods of strings, dictionaries and lists.
enum Methods {
    /// nil where there is no such method; the value may then have a member of that name.
    static func call(
        _ name: String, of value: JinjaValue, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        switch value {
        case .string(let text): try call(name, of: text, arguments)
        case .dictionary(let members): try call(name, of: members, arguments)
        case .list(let elements): try call(name, of: elements, arguments)
        default: nil
        }
    }

    private static func call(
        _ name: String, of members: OrderedDictionary<String, JinjaValue>,
        _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        switch name {
        case "items":
            return .list(members.map { .list([.string($0), $1]) })
        case "keys": return .list(members.keys.map(JinjaValue.string))
        case "values": return .list(Array(members.values))
        case "get":
            try arguments.expect(atMost: 2)
            guard let key = arguments[0] else { throw arguments.failure("needs a key") }
            guard case .string(let name) = key else { return arguments[1] ?? JinjaValue.none }
            return members[name] ?? arguments[1] ?? JinjaValue.none
        default: return nil
        }
    }

    private static func call(
        _ name: String, of elements: [JinjaValue], _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        guard let wanted = arguments[0] else { return nil }
        switch name {
        case "count": return .integer(elements.count { $0.equals(wanted) })
        case "index":
            guard let place = elements.firstIndex(where: wanted.equals) else {
                throw arguments.failure("does not find its argument")
            }
            return .integer(place)
        default: return nil
        }
    }

    private static func call(
        _ name: String, of text: String, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue? {
        switch name {
        case "strip", "lstrip", "rstrip":
            try arguments.expect(atMost: 1)
            let characters = try arguments[0] == nil ? nil : arguments.string(0)
            return .string(
                text.stripped(of: characters, left: name != "rstrip", right: name != "lstrip"))
        case "upper": return .string(text.uppercased())
        case "lower": return .string(text.lowercased())
        case "title": return .string(text.titled)
        case "capitalize": return .string(text.capitalizedOnce)
        case "startswith", "endswith":
            try arguments.expect(atMost: 1)
            return .bool(
                try affixes(arguments).contains {
                    name == "startswith"
                        ? text.utf8.starts(with: $0.utf8)
                        : text.utf8.reversed().starts(with: $0.utf8.reversed())
                })
        case "split", "rsplit": return try split(text, isFromRight: name == "rsplit", arguments)
        case "splitlines":
            var lines = text.parts(separatedBy: "\n")
            if lines.last == "" { lines.removeLast() }
            return .list(lines.map(JinjaValue.string))
        case "replace":
            try arguments.expect(atMost: 3)
            let (old, new) = (try arguments.string(0), try arguments.string(1))
            let limit = try arguments.integer(2) ?? -1
            return .string(
                try text.replacing(old, with: new, limit: limit < 0 ? .max : limit, arguments))
        case "find":
            try arguments.expect(atMost: 1)
            guard let offset = text.firstOffset(of: try arguments.string(0)) else {
                return .integer(-1)
            }
            return .integer(
                String(decoding: Array(text.utf8)[..<offset], as: UTF8.self).unicodeScalars.count)
        case "count":
            try arguments.expect(atMost: 1)
            let part = try arguments.string(0)
            return .integer(
                part.isEmpty
                    ? text.unicodeScalars.count + 1 : text.parts(separatedBy: part).count - 1)
        case "join":
            try arguments.expect(atMost: 1)
            return try Filters.join(arguments[0] ?? .none, separator: text, arguments)
        case "isdigit":
            return .bool(
                !text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.numericType != nil }
            )
        default: return nil
        }
    }

    private static func affixes(_ arguments: CallArguments) throws(JinjaError) -> [String] {
        guard case .list(let elements)? = arguments[0] else { return [try arguments.string(0)] }
        return elements.map(\.text)
    }

    private static func split(
        _ text: String, isFromRight: Bool, _ arguments: CallArguments
    ) throws(JinjaError) -> JinjaValue {
        try arguments.expect(atMost: 2, named: ["sep", "maxsplit"])
        let given = try arguments.integer(1, "maxsplit") ?? -1
        let limit = given < 0 ? Int.max : given
        var separator: String?
        switch arguments[0, "sep"] {
        case nil, JinjaValue.none?: break
        default: separator = try arguments.string(0, "sep")
        }
        guard let separator else {
            guard limit == .max else {
                throw JinjaError(
                    .unsupported, line: arguments.line,
                    "\(arguments.callee) with a limit but no separator is not supported")
            }
            let words = text.unicodeScalars.split(whereSeparator: \.properties.isWhitespace)
            return .list(words.map { .string(String($0)) })
        }
        guard !separator.isEmpty else { throw arguments.failure("needs a separator") }
        guard isFromRight, limit != .max else {
            return .list(
                text.parts(separatedBy: separator, limit: limit).map(JinjaValue.string))
        }
        let parts = text.parts(separatedBy: separator)
        let (first, last) = (parts.dropLast(limit), parts.suffix(limit))
        guard !first.isEmpty else { return .list(last.map(JinjaValue.string)) }
        return .list(
            [.string(first.joined(separator: separator))] + last.map(JinjaValue.string))
    }
}
