import ByteIO
import TensorIR

extension Normalizer {
    /// Reads the `normalizer` of a `tokenizer.json`, its sequences flattened.
    ///
    /// `map` is the table of a `Precompiled` that leaves it out.
    static func list(_ json: JSON?, map: [UInt8]? = nil) throws(ModelError) -> [Normalizer] {
        guard let json, !json.isNull else { return [] }
        let part = TokenizerPart(json, named: "normalizer")
        let type = try part.type()
        if let form = NormalizationForm(rawValue: type) { return [.form(form)] }
        switch type {
        case "Sequence":
            var normalizers: [Normalizer] = []
            for element in try part.array("normalizers") {
                normalizers += try Normalizer.list(element, map: map)
            }
            return normalizers
        case "Nmt": return [.nmt]
        case "Lowercase": return [.lowercase]
        case "StripAccents": return [.stripAccents]
        case "Strip":
            return [
                .strip(
                    left: try part.bool("strip_left", default: true),
                    right: try part.bool("strip_right", default: true))
            ]
        case "Prepend": return [.prepend(try part.string("prepend"))]
        case "Replace": return [.replace(try part.pattern(), with: try part.string("content"))]
        case "BertNormalizer":
            var options = BertNormalization()
            options.cleansText = try part.bool("clean_text", default: true)
            options.separatesIdeographs = try part.bool("handle_chinese_chars", default: true)
            if let strips = json["strip_accents"], !strips.isNull {
                options.stripsAccents = try part.bool("strip_accents", default: false)
            }
            options.lowercases = try part.bool("lowercase", default: true)
            return [.bert(options)]
        case "Precompiled":
            let matching: CharacterMap.Matching =
                try part.bool("longest_prefix", default: false)
                ? .longestPrefix : .firstPrefixOfClusters
            if json["precompiled_charsmap"]?.isNull != false, let map {
                return [.precompiled(try CharacterMap(map, matching: matching))]
            }
            guard let bytes = Base64.decoded(try part.string("precompiled_charsmap")) else {
                throw part.wrong("precompiled_charsmap", "base64")
            }
            return bytes.isEmpty ? [] : [.precompiled(try CharacterMap(bytes, matching: matching))]
        case let other:
            throw ModelError(
                "normalizer '\(other.escapedForDisplay)' is not supported; supported: Sequence, NFC, "
                    + "NFD, NFKC, NFKD, Nmt, Lowercase, StripAccents, Strip, Prepend, Replace, "
                    + "BertNormalizer, Precompiled")
        }
    }

    /// The normalizers as one of `tokenizer.json`; null for none.
    ///
    /// With `isOwn` they say more than the library reads: how a table of replacements is applied. With
    /// `leavingOutMap` the table is not repeated, which stands elsewhere.
    static func json(
        _ normalizers: [Normalizer], isOwn: Bool = false, leavingOutMap: Bool = false
    ) -> JSON {
        let list = normalizers.map { $0.json(isOwn: isOwn, leavingOutMap: leavingOutMap) }
        return switch list.count {
        case 0: .null
        case 1: list[0]
        default: ["type": "Sequence", "normalizers": .array(list)]
        }
    }

    private func json(isOwn: Bool, leavingOutMap: Bool) -> JSON {
        switch self {
        case .form(let form): ["type": .string(form.rawValue)]
        case .nmt: ["type": "Nmt"]
        case .lowercase: ["type": "Lowercase"]
        case .stripAccents: ["type": "StripAccents"]
        case .strip(let left, let right):
            ["type": "Strip", "strip_left": .bool(left), "strip_right": .bool(right)]
        case .prepend(let text): ["type": "Prepend", "prepend": .string(text)]
        case .replace(let pattern, let content):
            ["type": "Replace", "pattern": pattern.json, "content": .string(content)]
        case .bert(let options):
            [
                "type": "BertNormalizer", "clean_text": .bool(options.cleansText),
                "handle_chinese_chars": .bool(options.separatesIdeographs),
                "strip_accents": options.stripsAccents.map(JSON.bool) ?? .null,
                "lowercase": .bool(options.lowercases),
            ]
        case .precompiled(let map) where map.matching == .longestPrefix && isOwn:
            [
                "type": "Precompiled", "longest_prefix": true,
                "precompiled_charsmap": leavingOutMap
                    ? .null : .string(Base64.encoded(map.bytes)),
            ]
        case .precompiled where leavingOutMap:
            ["type": "Precompiled", "precompiled_charsmap": nil]
        case .precompiled(let map):
            [
                "type": "Precompiled",
                "precompiled_charsmap": .string(Base64.encoded(map.bytes)),
            ]
        }
    }
}

extension PreTokenizerStep.Pattern {
    /// The pattern as `tokenizer.json` has it.
    var json: JSON {
        switch self {
        case .literal(let text): ["String": .string(text)]
        case .expression(let expression): ["Regex": .string(expression)]
        }
    }
}
