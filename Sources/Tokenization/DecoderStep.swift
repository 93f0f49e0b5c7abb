import ByteIO
import TensorIR

/// One step of turning tokens back into text, named as in `tokenizer.json`.
///
/// The steps see the spellings of all tokens, one after the other; what the last one leaves is joined.
public enum DecoderStep: Sendable, Hashable {
    /// Spellings of bytes become the bytes.
    case byteLevel
    /// Tokens such as `<0x0A>` become the bytes that they name.
    case byteFallback
    /// From here on there is one token.
    case fuse
    /// Takes up to so many of a character away at each token's ends.
    case strip(Unicode.Scalar, start: Int, stop: Int)
    case replace(String, with: String)
    /// The character becomes a space; in the first token it goes where `dropsFirst`.
    case metaspace(Unicode.Scalar, dropsFirst: Bool)
    /// Tokens without the prefix start a word; `cleansUp` takes spaces before punctuation away.
    case wordPiece(prefix: String, cleansUp: Bool)
    /// The suffix that ends a word becomes a space.
    case wordSuffix(String)
}

extension DecoderStep {
    /// Reads the `decoder` of a `tokenizer.json`, its sequences flattened.
    static func steps(_ json: JSON?) throws(ModelError) -> [DecoderStep] {
        guard let json, !json.isNull else { return [] }
        let part = TokenizerPart(json, named: "decoder")
        switch try part.type() {
        case "Sequence":
            var steps: [DecoderStep] = []
            for element in try part.array("decoders") { steps += try DecoderStep.steps(element) }
            return steps
        case "ByteLevel": return [.byteLevel]
        case "ByteFallback": return [.byteFallback]
        case "Fuse": return [.fuse]
        case "Strip":
            return [
                .strip(
                    try part.scalar("content", default: " "),
                    start: try part.count("start", default: 0),
                    stop: try part.count("stop", default: 0))
            ]
        case "Replace":
            guard case .literal(let text) = try part.pattern() else {
                throw ModelError("decoder 'Replace': a 'Regex' as pattern is not supported")
            }
            return [.replace(text, with: try part.string("content"))]
        case "Metaspace":
            let options = try MetaspaceOptions(part)
            return [
                .metaspace(options.replacement, dropsFirst: options.prependScheme != .never)
            ]
        case "WordPiece":
            return [
                .wordPiece(
                    prefix: json["prefix"] == nil ? "##" : try part.string("prefix"),
                    cleansUp: try part.bool("cleanup", default: true))
            ]
        case "BPEDecoder":
            return [.wordSuffix(json["suffix"] == nil ? "</w>" : try part.string("suffix"))]
        case let other:
            throw ModelError(
                "decoder '\(other.escapedForDisplay)' is not supported; supported: Sequence, "
                    + "ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, WordPiece, BPEDecoder"
            )
        }
    }

    /// The steps as one decoder of `tokenizer.json`; null for none.
    static func json(_ steps: [DecoderStep]) -> JSON {
        switch steps.count {
        case 0: .null
        case 1: steps[0].json
        default: ["type": "Sequence", "decoders": .array(steps.map(\.json))]
        }
    }

    private var json: JSON {
        switch self {
        case .byteLevel:
            [
                "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                "use_regex": true,
            ]
        case .byteFallback: ["type": "ByteFallback"]
        case .fuse: ["type": "Fuse"]
        case .strip(let scalar, let start, let stop):
            [
                "type": "Strip", "content": .string(String(Character(scalar))),
                "start": .integer(start), "stop": .integer(stop),
            ]
        case .replace(let text, let content):
            [
                "type": "Replace", "pattern": ["String": .string(text)],
                "content": .string(content),
            ]
        case .metaspace(let scalar, let dropsFirst):
            MetaspaceOptions(
                replacement: scalar, prependScheme: dropsFirst ? .always : .never, splits: true
            ).json
        case .wordPiece(let prefix, let cleansUp):
            ["type": "WordPiece", "prefix": .string(prefix), "cleanup": .bool(cleansUp)]
        case .wordSuffix(let suffix): ["type": "BPEDecoder", "suffix": .string(suffix)]
        }
    }
}

/// The members of `Metaspace`, which is a pre-tokenizer and a decoder.
public struct MetaspaceOptions: Sendable, Hashable {
    /// Where the character that stands for a space is put before a text.
    public enum PrependScheme: String, Sendable, Hashable, CaseIterable {
        /// Before every text between added tokens.
        case always
        /// Only where nothing stands before it.
        case first
        case never
    }

    /// What stands for a space.
    public var replacement: Unicode.Scalar
    public var prependScheme: PrependScheme
    /// Whether each of the characters starts a new word.
    public var splits: Bool

    public init(
        replacement: Unicode.Scalar = "\u{2581}", prependScheme: PrependScheme = .always,
        splits: Bool = true
    ) {
        self.replacement = replacement
        self.prependScheme = prependScheme
        self.splits = splits
    }

    init(_ part: TokenizerPart) throws(ModelError) {
        replacement = try part.scalar("replacement", default: "\u{2581}")
        splits = try part.bool("split", default: true)
        // Files from before 2024 say whether there is a prefix, and not when.
        prependScheme = try part.bool("add_prefix_space", default: true) ? .always : .never
        guard let name = part.json["prepend_scheme"], !name.isNull else { return }
        guard let scheme = name.string.flatMap(PrependScheme.init) else {
            throw part.wrong("prepend_scheme", "'always', 'first' or 'never'")
        }
        prependScheme = scheme
    }

    var json: JSON {
        [
            "type": "Metaspace", "replacement": .string(String(Character(replacement))),
            "prepend_scheme": .string(prependScheme.rawValue), "split": .bool(splits),
        ]
    }
}
