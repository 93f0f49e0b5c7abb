import ByteIO
import TensorIR

/// A `config.json` that answers with a number or an error naming the key.
struct Configuration {
    let json: JSON

    func string(_ key: String) throws(ModelError) -> String? {
        try value(key, "a string", \.string)
    }

    func bool(_ key: String) throws(ModelError) -> Bool? {
        try value(key, "true or false", \.bool)
    }

    func number(_ key: String) throws(ModelError) -> Double? {
        guard let number = try value(key, "a number", \.double) else { return nil }
        guard number.isFinite else { throw wrong(key, "a finite number") }
        return number
    }

    /// A count: a positive integer that no later product of two can overflow.
    func count(_ key: String) throws(ModelError) -> Int? {
        guard let count = try value(key, "an integer", \.integer) else { return nil }
        guard (1...Configuration.maximumCount).contains(count) else {
            throw wrong(key, "an integer from 1 to \(Configuration.maximumCount)")
        }
        return count
    }

    func requiredCount(_ key: String) throws(ModelError) -> Int {
        guard let count = try count(key) else {
            throw ModelError("config.json: key '\(key)' is missing")
        }
        return count
    }

    static let maximumCount = 1 << 30

    func wrong(_ key: String, _ expected: String) -> ModelError {
        let found = (json(at: key) ?? .null).text().prefix(60)
        return ModelError("config.json: '\(key)' must be \(expected), not \(found)")
    }

    /// An option with a value that the decoder does not have.
    func unsupported(_ key: String, supported: String) -> ModelError {
        let found = (json(at: key) ?? .null).text().prefix(60)
        return ModelError(
            "config.json: '\(key)' is \(found), which is not supported; supported: \(supported)")
    }

    /// The values of a list; nil where it is absent or null.
    func list<Element>(
        _ key: String, of expected: String, _ read: (JSON) -> Element?
    ) throws(ModelError) -> [Element]? {
        guard let array = try value(key, "a list of \(expected)", \.array) else { return nil }
        var elements: [Element] = []
        for item in array {
            guard let element = read(item) else { throw wrong(key, "a list of \(expected)") }
            elements.append(element)
        }
        return elements
    }

    /// What stands under a key, `outer.inner` for a member of a member; nil where it is absent or null,
    /// which configurations use alike.
    func json(at key: String) -> JSON? {
        var found = json
        for part in key.split(separator: ".") {
            guard let inner = found[String(part)], !inner.isNull else { return nil }
            found = inner
        }
        return found
    }

    private func value<Value>(
        _ key: String, _ expected: String, _ read: (JSON) -> Value?
    ) throws(ModelError) -> Value? {
        guard let found = json(at: key) else { return nil }
        guard let value = read(found) else { throw wrong(key, expected) }
        return value
    }
}

/// GGUF's key-values of one architecture, answering with a number or an error naming the key.
struct GGUFKeys {
    let metadata: Metadata
    let architecture: String

    func count(_ key: String) throws(ModelError) -> Int? {
        guard let value = metadata["\(architecture).\(key)"] else { return nil }
        guard let count = value.integer, (1...Configuration.maximumCount).contains(count) else {
            throw ModelError(
                "key '\(architecture).\(key)' must be an integer from 1 to "
                    + "\(Configuration.maximumCount)")
        }
        return count
    }

    func requiredCount(_ key: String) throws(ModelError) -> Int {
        guard let count = try count(key) else {
            throw ModelError("key '\(architecture).\(key)' is missing")
        }
        return count
    }

    func number(_ key: String) throws(ModelError) -> Double? {
        guard let value = metadata["\(architecture).\(key)"] else { return nil }
        guard let number = value.double, number.isFinite else {
            throw ModelError("key '\(architecture).\(key)' must be a finite number")
        }
        return number
    }

    func string(_ key: String) throws(ModelError) -> String? {
        guard let value = metadata["\(architecture).\(key)"] else { return nil }
        guard let string = value.string else {
            throw ModelError("key '\(architecture).\(key)' must be a string")
        }
        return string
    }

    func bool(_ key: String) throws(ModelError) -> Bool? {
        guard let value = metadata["\(architecture).\(key)"] else { return nil }
        guard case .bool(let bool) = value else {
            throw ModelError("key '\(architecture).\(key)' must be true or false")
        }
        return bool
    }
}
