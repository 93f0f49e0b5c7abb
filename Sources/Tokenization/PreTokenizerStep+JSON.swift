import ByteIO
import OrderedCollections
import TensorIR

extension PreTokenizerStep {
    /// Reads the `pre_tokenizer` of a `tokenizer.json`, its sequences flattened.
    static func steps(_ json: JSON?) throws(ModelError) -> [PreTokenizerStep] {
        guard let json, !json.isNull else { return [] }
        let part = TokenizerPart(json, named: "pre-tokenizer")
        switch try part.type() {
        case "Sequence":
            var steps: [PreTokenizerStep] = []
            for element in try part.array("pretokenizers") {
                steps += try PreTokenizerStep.steps(element)
            }
            return steps
        case "ByteLevel":
            let addsPrefixSpace = try part.bool("add_prefix_space", default: true)
            let usesExpression = try part.bool("use_regex", default: true)
            return [.byteLevel(addsPrefixSpace: addsPrefixSpace, usesExpression: usesExpression)]
        case "Digits":
            return [.digits(individual: try part.bool("individual_digits", default: false))]
        case "Punctuation":
            return [.punctuation(try part.behavior(default: .isolated))]
        case "Split": return [try split(part)]
        case "Whitespace": return [.whitespace]
        case "WhitespaceSplit": return [.whitespaceSplit]
        case "BertPreTokenizer": return [.bert]
        case "UnicodeScripts": return [.unicodeScripts]
        case "CharDelimiterSplit":
            let scalars = Array(part.json["delimiter"]?.string?.unicodeScalars ?? "".unicodeScalars)
            guard scalars.count == 1 else { throw part.wrong("delimiter", "one character") }
            return [.charDelimiterSplit(scalars[0])]
        case "FixedLength":
            let length = part.json["length"].map(\.integer) ?? 5
            guard let length, (1...maximumFixedLength).contains(length) else {
                throw part.wrong("length", "a number from 1 to \(maximumFixedLength)")
            }
            return [.fixedLength(length)]
        case let other:
            throw ModelError(
                "pre-tokenizer '\(other.escapedForDisplay)' is not supported; supported: "
                    + "Sequence, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, "
                    + "BertPreTokenizer, CharDelimiterSplit, UnicodeScripts, FixedLength, ByteLevel"
            )
        }
    }

    private static func split(_ part: TokenizerPart) throws(ModelError) -> PreTokenizerStep {
        let pattern: Pattern
        switch (part.json["pattern"]?["Regex"]?.string, part.json["pattern"]?["String"]?.string) {
        case (let expression?, nil): pattern = .expression(expression)
        case (nil, let literal?): pattern = .literal(literal)
        default:
            throw ModelError("pre-tokenizer 'Split': 'pattern' must be a Regex or a String")
        }
        return .split(
            pattern, try part.behavior(default: nil),
            isInverted: try part.bool("invert", default: false))
    }

    /// The step as `tokenizer.json` has it.
    var json: JSON {
        switch self {
        case .split(let pattern, let behavior, let isInverted):
            let sought: JSON =
                switch pattern {
                case .literal(let text): ["String": .string(text)]
                case .expression(let expression): ["Regex": .string(expression)]
                }
            return [
                "type": "Split", "pattern": sought, "behavior": .string(behavior.rawValue),
                "invert": .bool(isInverted),
            ]
        case .digits(let individual):
            return ["type": "Digits", "individual_digits": .bool(individual)]
        case .punctuation(let behavior):
            return ["type": "Punctuation", "behavior": .string(behavior.rawValue)]
        case .whitespace: return ["type": "Whitespace"]
        case .whitespaceSplit: return ["type": "WhitespaceSplit"]
        case .bert: return ["type": "BertPreTokenizer"]
        case .unicodeScripts: return ["type": "UnicodeScripts"]
        case .charDelimiterSplit(let scalar):
            return ["type": "CharDelimiterSplit", "delimiter": .string(String(Character(scalar)))]
        case .fixedLength(let length):
            return ["type": "FixedLength", "length": .integer(length)]
        case .byteLevel(let addsPrefixSpace, let usesExpression):
            return [
                "type": "ByteLevel", "add_prefix_space": .bool(addsPrefixSpace),
                "trim_offsets": true, "use_regex": .bool(usesExpression),
            ]
        }
    }

    /// The steps as one pre-tokenizer of `tokenizer.json`.
    static func json(_ steps: [PreTokenizerStep]) -> JSON {
        guard steps.count != 1 else { return steps[0].json }
        return ["type": "Sequence", "pretokenizers": .array(steps.map(\.json))]
    }
}

extension Normalizer {
    /// Reads the `normalizer` of a `tokenizer.json`, its sequences flattened.
    static func list(_ json: JSON?) throws(ModelError) -> [Normalizer] {
        guard let json, !json.isNull else { return [] }
        let part = TokenizerPart(json, named: "normalizer")
        switch try part.type() {
        case "Sequence":
            var normalizers: [Normalizer] = []
            for element in try part.array("normalizers") {
                normalizers += try Normalizer.list(element)
            }
            return normalizers
        case "NFC":
            return [.nfc]
        case let other:
            throw ModelError(
                "normalizer '\(other.escapedForDisplay)' is not supported; supported: Sequence, NFC"
            )
        }
    }

    /// The normalizers as one of `tokenizer.json`; null for none.
    static func json(_ normalizers: [Normalizer]) -> JSON {
        let list = normalizers.map { normalizer -> JSON in
            switch normalizer {
            case .nfc: ["type": "NFC"]
            }
        }
        switch list.count {
        case 0: return .null
        case 1: return list[0]
        default: return ["type": "Sequence", "normalizers": .array(list)]
        }
    }
}

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
