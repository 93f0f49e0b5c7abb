import ByteIO
import TensorIR

/// A typed object of `tokenizer.json` that answers or names what is wrong with it.
struct TokenizerPart {
    let json: JSON
    let name: String

    init(_ json: JSON, named name: String) { (self.json, self.name) = (json, name) }

    func type() throws(ModelError) -> String {
        guard let type = json["type"]?.string else {
            throw ModelError("\(name): 'type' is missing")
        }
        return type
    }

    func array(_ key: String) throws(ModelError) -> [JSON] {
        guard let array = json[key]?.array else { throw wrong(key, "an array") }
        return array
    }

    func string(_ key: String) throws(ModelError) -> String {
        guard let string = json[key]?.string else { throw wrong(key, "a string") }
        return string
    }

    /// A string of one character.
    func scalar(
        _ key: String, default absent: Unicode.Scalar
    ) throws(ModelError) -> Unicode.Scalar {
        guard let value = json[key], !value.isNull else { return absent }
        let scalars = Array((value.string ?? "").unicodeScalars)
        guard scalars.count == 1 else { throw wrong(key, "one character") }
        return scalars[0]
    }

    /// A number of characters or tokens; never negative.
    func count(_ key: String, default absent: Int) throws(ModelError) -> Int {
        guard let value = json[key], !value.isNull else { return absent }
        guard let count = value.integer, count >= 0 else {
            throw wrong(key, "an integer that is not negative")
        }
        return count
    }

    /// What a `Split` or a `Replace` looks for.
    func pattern() throws(ModelError) -> PreTokenizerStep.Pattern {
        let pattern = json["pattern"]
        switch (pattern?["Regex"]?.string, pattern?["String"]?.string) {
        case (let expression?, nil): return .expression(expression)
        case (nil, let literal?): return .literal(literal)
        default: throw wrong("pattern", "a Regex or a String")
        }
    }

    func bool(_ key: String, default absent: Bool) throws(ModelError) -> Bool {
        guard let value = json[key], !value.isNull else { return absent }
        guard let bool = value.bool else { throw wrong(key, "true or false") }
        return bool
    }

    func behavior(default absent: SplitBehavior?) throws(ModelError) -> SplitBehavior {
        if let absent, json["behavior"] == nil { return absent }
        guard let name = json["behavior"]?.string else { throw wrong("behavior", "a string") }
        guard let behavior = SplitBehavior(rawValue: name) else {
            throw ModelError("\(self.name): behavior '\(name.escapedForDisplay)' is not supported")
        }
        return behavior
    }

    func wrong(_ key: String, _ expected: String) -> ModelError {
        let type = json["type"]?.string.map { " '\($0.escapedForDisplay)'" } ?? ""
        return ModelError("\(name)\(type): '\(key)' must be \(expected)")
    }
}
