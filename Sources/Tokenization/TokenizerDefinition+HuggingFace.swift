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
            guard let tokenizer = try checkpoint.json("tokenizer.json") else {
                throw ModelError("there is no tokenizer.json beside the weights")
            }
            try self.init(tokenizer: tokenizer)
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
        // Files from before 2020 leave the type out; only BPE has merges.
        let type = model["type"]?.string ?? (model["merges"] == nil ? "of unknown type" : "BPE")
        guard type == "BPE" else {
            throw ModelError(
                "tokenizer model '\(type.escapedForDisplay)' is not supported yet; supported: "
                    + "byte-level BPE")
        }
        let steps = try PreTokenizerStep.steps(tokenizer["pre_tokenizer"])
        let isByteLevel = steps.contains { if case .byteLevel = $0 { true } else { false } }
        guard isByteLevel else {
            throw ModelError(
                "tokenizer model 'BPE' without pre-tokenizer 'ByteLevel' (SentencePiece BPE) is not "
                    + "supported yet; supported: byte-level BPE")
        }
        let part = TokenizerPart(model, named: "tokenizer model")
        try TokenizerDefinition.refuseOptions(of: model)
        self.init(
            tokens: [], merges: try TokenizerDefinition.merges(model), preTokenizer: steps,
            ignoresMerges: try part.bool("ignore_merges", default: false))
        normalizers = try Normalizer.list(tokenizer["normalizer"])
        try TokenizerDefinition.checkDecoder(tokenizer["decoder"])
        try readVocabulary(model, added: tokenizer["added_tokens"]?.array ?? [])
        if let name = model["unk_token"]?.string {
            guard let id = id(of: name) else {
                throw ModelError("'unk_token' '\(name.escapedForDisplay)' is not in the vocabulary")
            }
            unknownToken = id
            fusesUnknown = try part.bool("fuse_unk", default: false)
        }
        try readPostProcessor(tokenizer["post_processor"])
    }

    /// Options of the model that change ids, and that byte-level vocabularies do not use.
    private static func refuseOptions(of model: JSON) throws(ModelError) {
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            guard let value = model[key], !value.isNull, value.string != "" else { continue }
            throw ModelError("tokenizer model 'BPE': '\(key)' is not supported in a byte-level BPE")
        }
        if model["byte_fallback"]?.bool == true {
            throw ModelError(
                "tokenizer model 'BPE': 'byte_fallback' is not supported in a byte-level BPE")
        }
        if let dropout = model["dropout"]?.double, dropout != 0 {
            throw ModelError("tokenizer model 'BPE': 'dropout' \(dropout) makes encoding random")
        }
    }

    /// Only what undoes byte-level spelling. A file without a decoder is decoded the same way.
    private static func checkDecoder(_ json: JSON?) throws(ModelError) {
        guard let json, !json.isNull else { return }
        let part = TokenizerPart(json, named: "decoder")
        switch try part.type() {
        // Joining the pieces, which the decoder of bytes has done already.
        case "ByteLevel", "Fuse": return
        case "Sequence":
            for element in try part.array("decoders") { try checkDecoder(element) }
        case let other:
            throw ModelError(
                "decoder '\(other.escapedForDisplay)' is not supported with a byte-level BPE; "
                    + "supported: ByteLevel")
        }
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

    private mutating func readVocabulary(_ model: JSON, added: [JSON]) throws(ModelError) {
        guard let vocabulary = model["vocab"]?.object else {
            throw ModelError("tokenizer model 'BPE': 'vocab' must be an object")
        }
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
            if id >= byID.count { byID += Array(repeating: nil, count: id + 1 - byID.count) }
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
