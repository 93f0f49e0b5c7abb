import ByteIO
import OrderedCollections
import TensorIR

/// What plain GGUF keys cannot say, in the words of `tokenizer.json` where it has some.
extension TokenizerDefinition {
    func differences(from plain: TokenizerDefinition, sameCuts: Bool) -> JSON.Members {
        var members: JSON.Members = [:]
        if normalizers != plain.normalizers {
            members["normalizer"] = Normalizer.json(
                normalizers, isOwn: true, leavingOutMap: model == .unigram)
        }
        if !sameCuts { members["pre_tokenizer"] = PreTokenizerStep.json(preTokenizer) }
        if decoder != plain.decoder { members["decoder"] = DecoderStep.json(decoder) }
        if needsMergesInGGUF { members["merges"] = true }
        func flag(_ key: ExactString, _ value: KeyPath<TokenizerDefinition, Bool>) {
            if self[keyPath: value] != plain[keyPath: value] {
                members[key] = .bool(self[keyPath: value])
            }
        }
        flag("ignore_merges", \.ignoresMerges)
        flag("fuse_unk", \.fusesUnknown)
        flag("byte_fallback", \.usesByteFallback)
        if unknownToken != plain.unknownToken {
            members["unk_token"] = unknownToken.map { .integer(Int($0)) } ?? .null
        }
        if continuationPrefix != plain.continuationPrefix {
            members["continuing_subword_prefix"] = .string(continuationPrefix)
        }
        if maximumWordLength != plain.maximumWordLength {
            members["max_input_chars_per_word"] = .integer(maximumWordLength)
        }
        func list(_ key: ExactString, _ ids: [Int32]) {
            members[key] = .array(ids.map { .integer(Int($0)) })
        }
        if outsideModel != plain.outsideModel { list("outside_model", outsideModel.sorted()) }
        let added = addedTokens.filter { !plain.addedTokens.contains($0) }
        if !added.isEmpty { members["added_tokens"] = .array(added.map(\.json)) }
        let notAdded = Set(plain.addedTokens.map(\.id)).subtracting(addedTokens.map(\.id))
        if !notAdded.isEmpty { list("not_added", notAdded.sorted()) }
        if prefix != plain.prefix { list("prefix", prefix) }
        if suffix != plain.suffix { list("suffix", suffix) }
        if specialTokens != plain.specialTokens {
            var roles: JSON.Members = [:]
            for role in SpecialTokenRole.allCases {
                if let id = specialTokens[role] { roles[role.rawValue] = .integer(Int(id)) }
            }
            members["special_tokens"] = .object(roles)
        }
        var spellings: JSON.Members = [:]
        for (id, pair) in zip(tokens, plain.tokens).enumerated()
        where ExactString(pair.0) != ExactString(pair.1) {
            spellings[String(id)] = .string(pair.0)
        }
        if !spellings.isEmpty { members["tokens"] = .object(spellings) }
        return members
    }

    /// - Parameters:
    ///   - json: what `differences` gave.
    ///   - metadata: the keys that it belongs to, which hold what is too long for it.
    /// - Throws: `ModelError` naming what contradicts the vocabulary.
    mutating func applyDifferences(_ json: JSON, _ metadata: Metadata) throws(ModelError) {
        let part = TokenizerPart(json, named: TokenizerKey.exact)
        if let normalizer = json["normalizer"] {
            normalizers = try Normalizer.list(normalizer, map: characterMap?.bytes)
        }
        if let steps = json["pre_tokenizer"] { preTokenizer = try PreTokenizerStep.steps(steps) }
        if let steps = json["decoder"] { decoder = try DecoderStep.steps(steps) }
        if try part.bool("merges", default: false) {
            merges = try TokenizerDefinition.merges(metadata)
            scores = []
        }
        ignoresMerges = try part.bool("ignore_merges", default: ignoresMerges)
        fusesUnknown = try part.bool("fuse_unk", default: fusesUnknown)
        usesByteFallback = try part.bool("byte_fallback", default: usesByteFallback)
        if let unknown = json["unk_token"] {
            unknownToken = try unknown.isNull ? nil : ids([unknown], part, "unk_token").first
        }
        if json["continuing_subword_prefix"] != nil {
            continuationPrefix = try part.string("continuing_subword_prefix")
        }
        maximumWordLength = try part.count(
            "max_input_chars_per_word", default: maximumWordLength)
        for (id, token) in json["tokens"]?.object ?? [:] {
            guard let id = Int(id.string), tokens.indices.contains(id), let text = token.string
            else { throw part.wrong("tokens", "spellings by id") }
            tokens[id] = text
        }
        if let list = json["outside_model"]?.array {
            outsideModel = Set(try ids(list, part, "outside_model"))
        }
        try applyAddedTokens(part)
        if let list = json["prefix"]?.array { prefix = try ids(list, part, "prefix") }
        if let list = json["suffix"]?.array { suffix = try ids(list, part, "suffix") }
        if let roles = json["special_tokens"]?.object {
            specialTokens = [:]
            for role in SpecialTokenRole.allCases {
                guard let id = roles[role.rawValue] else { continue }
                specialTokens[role] = try ids([id], part, "special_tokens").first
            }
        }
    }

    private mutating func applyAddedTokens(_ part: TokenizerPart) throws(ModelError) {
        for json in part.json["added_tokens"]?.array ?? [] {
            let options = TokenizerPart(json, named: TokenizerKey.exact)
            guard let id = try ids([json["id"] ?? .null], part, "added_tokens").first else {
                continue
            }
            let place = addedTokens.firstIndex { $0.id == id }
            // Whether it is special says its type, unless it has none of an added token.
            let isSpecial =
                if let place { addedTokens[place].isSpecial } else {
                    try options.bool("special", default: false)
                }
            let token = AddedToken(
                tokens[Int(id)], id: id, isSpecial: isSpecial,
                isNormalized: try options.bool("normalized", default: false),
                stripsLeft: try options.bool("lstrip", default: false),
                stripsRight: try options.bool("rstrip", default: false),
                isSingleWord: try options.bool("single_word", default: false))
            if let place { addedTokens[place] = token } else { addedTokens.append(token) }
        }
        let notAdded = Set(try ids(part.json["not_added"]?.array ?? [], part, "not_added"))
        addedTokens.removeAll { notAdded.contains($0.id) }
        addedTokens.sort { $0.id < $1.id }
    }

    private func ids(
        _ list: [JSON], _ part: TokenizerPart, _ key: String
    ) throws(ModelError) -> [Int32] {
        var ids: [Int32] = []
        for element in list {
            guard let id = element.integer, tokens.indices.contains(id) else {
                throw part.wrong(key, "ids of the vocabulary")
            }
            ids.append(Int32(id))
        }
        return ids
    }
}
