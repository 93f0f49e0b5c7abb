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
        case "Metaspace": return [.metaspace(try MetaspaceOptions(part))]
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
                    + "BertPreTokenizer, CharDelimiterSplit, UnicodeScripts, FixedLength, Metaspace, "
                    + "ByteLevel"
            )
        }
    }

    private static func split(_ part: TokenizerPart) throws(ModelError) -> PreTokenizerStep {
        return .split(
            try part.pattern(), try part.behavior(default: nil),
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
        case .metaspace(let options): return options.json
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
