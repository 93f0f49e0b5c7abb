import ByteIO
import OrderedCollections
import TensorIR

extension TokenizerDefinition {
    /// Reads a checkpoint's tokenizer, in either dialect.
    /// - Throws: `FormatError` for a malformed document; `ModelError` for a tokenizer that is
    ///   missing, contradicts itself or asks for something that is not supported, naming it.
    public init(checkpoint: Checkpoint) throws {
        switch checkpoint.dialect {
        case .gguf: try self.init(gguf: checkpoint.metadata)
        case .huggingFace:
            if let tokenizer = try checkpoint.json("tokenizer.json") {
                try self.init(tokenizer: tokenizer)
                if let bytes = checkpoint.documents["tokenizer.model"] {
                    try takeScores(ofSentencePiece: bytes)
                }
            } else {
                try self.init(folder: checkpoint)
            }
            var configurations: [JSON] = []
            for name in ["tokenizer_config.json", "special_tokens_map.json"] {
                if let document = try checkpoint.json(name) { configurations.append(document) }
            }
            var models: [JSON] = []
            for name in ["config.json", "generation_config.json"] {
                if let document = try checkpoint.json(name) { models.append(document) }
            }
            findSpecialTokens(configurations, models)
            try applySettings(configurations.first ?? [:])
            chatTemplates = try ChatTemplate.list(configurations.first?["chat_template"])
            if let bytes = checkpoint.documents["chat_template.jinja"] {
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw FormatError(.malformed, in: "chat_template.jinja", at: 0, "not UTF-8")
                }
                chatTemplates.removeAll { $0.name == ChatTemplate.defaultName }
                chatTemplates.insert(ChatTemplate(text: text), at: 0)
            }
        }
    }

    /// Reads a `tokenizer.json` by itself, which says how text is encoded and nothing about roles.
    ///
    /// Its `truncation` and `padding` are requests about batches, and not part of the tokenizer.
    public init(tokenizer: JSON) throws(ModelError) {
        guard let model = tokenizer["model"] else {
            throw ModelError("tokenizer.json: 'model' is missing")
        }
        let part = TokenizerPart(model, named: "tokenizer model")
        let steps = try PreTokenizerStep.steps(tokenizer["pre_tokenizer"])
        let isByteLevel = steps.contains { if case .byteLevel = $0 { true } else { false } }
        switch TokenizerDefinition.modelType(model) {
        case "BPE":
            self.init(isByteLevel ? .byteLevelBPE : .characterBPE, tokens: [])
        case "Unigram": self.init(.unigram, tokens: [])
        case "WordPiece": self.init(.wordPiece, tokens: [])
        case let other:
            throw ModelError(
                "tokenizer model '\(other.escapedForDisplay)' is not supported; supported: BPE, "
                    + "Unigram, WordPiece")
        }
        guard self.model == .byteLevelBPE || !isByteLevel else {
            throw ModelError("pre-tokenizer 'ByteLevel' is supported with the model 'BPE' only")
        }
        preTokenizer = steps
        normalizers = try Normalizer.list(tokenizer["normalizer"])
        decoder = try DecoderStep.steps(tokenizer["decoder"])
        // A file that leaves the decoder out is decoded the only way that gives text.
        if decoder.isEmpty, isByteLevel { decoder = [.byteLevel] }
        let added = tokenizer["added_tokens"]?.array ?? []
        switch self.model {
        case .byteLevelBPE, .characterBPE: try readBPE(part, added)
        case .unigram: try readUnigram(part, added)
        case .wordPiece: try readWordPiece(part, added)
        }
        markTypes()
        try readPostProcessor(tokenizer["post_processor"])
    }

    /// Says of bytes and of the unknown token what they are, as SentencePiece does.
    private mutating func markTypes() {
        guard model == .characterBPE || model == .unigram else { return }
        if let unknownToken { types[Int(unknownToken)] = .unknown }
        guard usesByteFallback else { return }
        for (id, token) in tokens.enumerated()
        where types[id] == .normal && ByteToken.byte(of: Array(token.utf8)) != nil {
            types[id] = .byte
        }
    }

    /// Files from before 2020 leave the type out; then the members tell.
    private static func modelType(_ model: JSON) -> String {
        if let type = model["type"]?.string { return type }
        if model["merges"] != nil { return "BPE" }
        if model["unk_id"] != nil { return "Unigram" }
        return model["max_input_chars_per_word"] == nil ? "of unknown type" : "WordPiece"
    }

    private mutating func readBPE(_ part: TokenizerPart, _ added: [JSON]) throws(ModelError) {
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            guard let value = part.json[key], !value.isNull, value.string != "" else { continue }
            throw ModelError("tokenizer model 'BPE': '\(key)' is not supported")
        }
        if let dropout = part.json["dropout"]?.double, dropout != 0 {
            throw ModelError("tokenizer model 'BPE': 'dropout' \(dropout) makes encoding random")
        }
        usesByteFallback = try part.bool("byte_fallback", default: false)
        if usesByteFallback, model == .byteLevelBPE {
            throw ModelError(
                "tokenizer model 'BPE': 'byte_fallback' is not supported in a byte-level BPE")
        }
        merges = try TokenizerDefinition.merges(part.json)
        ignoresMerges = try part.bool("ignore_merges", default: false)
        try readVocabulary(try TokenizerDefinition.vocabulary(part), added)
        try readUnknownToken(part)
        if unknownToken != nil { fusesUnknown = try part.bool("fuse_unk", default: false) }
    }

    private mutating func readUnigram(_ part: TokenizerPart, _ added: [JSON]) throws(ModelError) {
        var vocabulary: JSON.Members = [:]
        for (id, entry) in try part.array("vocab").enumerated() {
            guard let pair = entry.array, pair.count == 2, let token = pair[0].string,
                let score = pair[1].double, !score.isNaN
            else {
                throw ModelError(
                    "tokenizer model 'Unigram': token \(id) is no pair of text and score")
            }
            // Of two tokens of one text the later counts, as in the library.
            vocabulary[token] = .integer(id)
            scores.append(score)
        }
        let count = scores.count
        try readVocabulary(vocabulary, added)
        for (id, entry) in try part.array("vocab").enumerated() {
            tokens[id] = entry.array?.first?.string ?? tokens[id]
            if types[id] == .unused { types[id] = .normal }
        }
        outsideModel = Set((count..<max(count, tokens.count)).map { Int32($0) })
        scores += Array(repeating: 0, count: tokens.count - count)
        usesByteFallback = try part.bool("byte_fallback", default: false)
        fusesUnknown = true
        guard let id = part.json["unk_id"], !id.isNull else { return }
        guard let id = id.integer, (0..<count).contains(id) else {
            throw part.wrong("unk_id", "an id of the vocabulary")
        }
        unknownToken = Int32(id)
    }

    private mutating func readWordPiece(
        _ part: TokenizerPart, _ added: [JSON]
    ) throws(ModelError) {
        let vocabulary = try TokenizerDefinition.vocabulary(part)
        try readVocabulary(vocabulary, added)
        outsideModel = Set(
            addedTokens.filter { vocabulary[$0.content] == nil }.map(\.id))
        if part.json["continuing_subword_prefix"] != nil {
            continuationPrefix = try part.string("continuing_subword_prefix")
        }
        maximumWordLength = try part.count("max_input_chars_per_word", default: 100)
        try readUnknownToken(part)
    }

    private mutating func readUnknownToken(_ part: TokenizerPart) throws(ModelError) {
        guard let name = part.json["unk_token"]?.string else { return }
        guard let id = id(of: name) else {
            throw ModelError("'unk_token' '\(name.escapedForDisplay)' is not in the vocabulary")
        }
        unknownToken = id
    }

    private static func vocabulary(_ part: TokenizerPart) throws(ModelError) -> JSON.Members {
        guard let vocabulary = part.json["vocab"]?.object else {
            throw part.wrong("vocab", "an object")
        }
        return vocabulary
    }

    /// Merges in either form: `"left right"` or `["left", "right"]`.
    private static func merges(_ model: JSON) throws(ModelError) -> [Merge] {
        guard let list = model["merges"]?.array else {
            throw ModelError("tokenizer model 'BPE': 'merges' must be an array")
        }
        var merges: [Merge] = []
        merges.reserveCapacity(list.count)
        for (rank, element) in list.enumerated() {
            if let pair = element.array, pair.count == 2, let left = pair[0].string,
                let right = pair[1].string
            {
                merges.append(Merge(left, right))
            } else if let joined = element.string, let merge = Merge(joined: joined) {
                merges.append(merge)
            } else {
                throw ModelError("tokenizer model 'BPE': merge \(rank) is not a pair of tokens")
            }
        }
        return merges
    }

    /// Ids are indices, and a file may not make the vocabulary larger than this.
    static let maximumVocabularySize = 1 << 24

    /// Reads the tokens of the model and the added ones, and gives each its id.
    private mutating func readVocabulary(
        _ vocabulary: JSON.Members, _ added: [JSON]
    ) throws(ModelError) {
        // A file of a few bytes must not make millions of tokens by one large id.
        let limit = min(
            TokenizerDefinition.maximumVocabularySize,
            16 * (vocabulary.count + added.count) + 65_536)
        func checked(_ id: Int?, _ token: ExactString) throws(ModelError) -> Int {
            guard let id, (0..<limit).contains(id) else {
                throw ModelError(
                    "token '\(token.escapedForDisplay)' must have an id from 0 to \(limit - 1)")
            }
            return id
        }
        var byID: [ExactString?] = []
        func place(_ token: ExactString, at id: Int) throws(ModelError) {
            while byID.count <= id { byID.append(nil) }
            guard byID[id] == nil || byID[id] == token else {
                throw ModelError("two tokens have the id \(id)")
            }
            byID[id] = token
        }
        for (token, value) in vocabulary { try place(token, at: checked(value.integer, token)) }
        for json in added {
            let part = TokenizerPart(json, named: "added token")
            guard let content = json["content"]?.string.map({ ExactString($0) }) else {
                throw part.wrong("content", "a string")
            }
            // Where both say something about a token's id, the library believes the vocabulary.
            let id = try checked(vocabulary[content]?.integer ?? json["id"]?.integer, content)
            try place(content, at: id)
            addedTokens.append(
                AddedToken(
                    content.string, id: Int32(id),
                    isSpecial: try part.bool("special", default: false),
                    isNormalized: try part.bool("normalized", default: true),
                    stripsLeft: try part.bool("lstrip", default: false),
                    stripsRight: try part.bool("rstrip", default: false),
                    isSingleWord: try part.bool("single_word", default: false)))
        }
        addedTokens.sort { $0.id < $1.id }
        setTokens(byID)
    }

    private mutating func setTokens(_ byID: [ExactString?]) {
        types = byID.map { $0 == nil ? .unused : .normal }
        tokens = byID.enumerated().map { $1?.string ?? TokenizerDefinition.filler($0) }
        for token in addedTokens {
            types[Int(token.id)] = token.isSpecial ? .control : .userDefined
        }
    }

    /// What llama.cpp calls a token that fills a hole.
    static func filler(_ id: Int) -> String { "[PAD\(id)]" }

    /// The id of an added token, else of a token, spelled `text`.
    func id(of text: String) -> Int32? {
        let sought = ExactString(text)
        if let added = addedTokens.first(where: { ExactString($0.content) == sought }) {
            return added.id
        }
        return tokens.firstIndex { ExactString($0) == sought }.map { Int32($0) }
    }
}
