import ByteIO
import TensorIR

/// GGUF's keys about tokenizers.
enum TokenizerKey {
    static let model = "tokenizer.ggml.model"
    static let preTokenizer = "tokenizer.ggml.pre"
    static let tokens = "tokenizer.ggml.tokens"
    static let types = "tokenizer.ggml.token_type"
    static let scores = "tokenizer.ggml.scores"
    static let merges = "tokenizer.ggml.merges"
    static let addsSpacePrefix = "tokenizer.ggml.add_space_prefix"
    static let removesExtraSpaces = "tokenizer.ggml.remove_extra_whitespaces"
    static let characterMap = "tokenizer.ggml.precompiled_charsmap"
    static let tokenTypeCount = "tokenizer.ggml.token_type_count"
    static let addsBOS = "tokenizer.ggml.add_bos_token"
    static let addsEOS = "tokenizer.ggml.add_eos_token"
    static let chatTemplate = "tokenizer.chat_template"
    static let chatTemplates = "tokenizer.chat_templates"
    /// Our own: JSON of what the other keys cannot say, absent where they say everything.
    static let exact = "detent.tokenizer"
    /// Our own: the scores of a Unigram in full, absent where 32 bits hold them.
    static let exactScores = "detent.tokenizer.scores"

    /// What `tokenizer.ggml.model` calls a model.
    static func name(of model: TokenizerModelKind) -> String {
        switch model {
        case .byteLevelBPE: "gpt2"
        case .characterBPE: "llama"
        case .unigram: "t5"
        case .wordPiece: "bert"
        }
    }

    static func id(of role: SpecialTokenRole) -> String {
        switch role {
        case .beginning: "tokenizer.ggml.bos_token_id"
        case .end: "tokenizer.ggml.eos_token_id"
        case .unknown: "tokenizer.ggml.unknown_token_id"
        // The misspelling is the key's name.
        case .separator: "tokenizer.ggml.seperator_token_id"
        case .padding: "tokenizer.ggml.padding_token_id"
        case .classification: "tokenizer.ggml.cls_token_id"
        case .mask: "tokenizer.ggml.mask_token_id"
        }
    }
}

extension TokenizerDefinition {
    /// Reads the tokenizer from the metadata of a GGUF file.
    /// - Throws: `FormatError` where our own key does not parse; `ModelError` for a tokenizer that
    ///   is missing, contradicts itself or is not supported, naming it.
    public init(gguf metadata: Metadata) throws {
        try self.init(plainGGUF: metadata)
        guard let text = metadata[TokenizerKey.exact]?.string else { return }
        try applyDifferences(
            JSON(parsing: Array(text.utf8), subject: TokenizerKey.exact), metadata)
    }

    /// Reads what llama.cpp reads.
    init(plainGGUF metadata: Metadata) throws(ModelError) {
        guard let model = metadata[TokenizerKey.model]?.string else {
            throw ModelError("the file has no tokenizer: key '\(TokenizerKey.model)' is missing")
        }
        guard
            let kind = TokenizerModelKind.allCases.first(where: {
                TokenizerKey.name(of: $0) == model
            })
        else {
            let names = TokenizerModelKind.allCases.map(TokenizerKey.name)
            throw ModelError(
                "tokenizer model '\(model.escapedForDisplay)' is not supported; supported: "
                    + names.joined(separator: ", "))
        }
        guard let tokens = metadata[TokenizerKey.tokens]?.strings,
            tokens.count <= TokenizerDefinition.maximumVocabularySize
        else {
            throw ModelError(
                "key '\(TokenizerKey.tokens)' must be an array of UTF-8 strings, at most "
                    + "\(TokenizerDefinition.maximumVocabularySize)")
        }
        self.init(kind, tokens: tokens)
        if kind == .wordPiece { self.tokens = tokens.map(wordPieceToken) }
        try readTypes(metadata)
        for role in SpecialTokenRole.allCases {
            specialTokens[role] = try id(metadata, TokenizerKey.id(of: role))
        }
        let defaults: (bos: Bool, eos: Bool)
        switch kind {
        case .byteLevelBPE: defaults = (try readByteLevelBPE(metadata), false)
        case .characterBPE: defaults = try readScoredBPE(metadata)
        case .unigram: defaults = try readUnigram(metadata)
        case .wordPiece: defaults = readWordPiece()
        }
        let addsBOS = metadata[TokenizerKey.addsBOS]?.bool ?? defaults.bos
        if addsBOS, let bos = specialTokens[.beginning] { prefix = [bos] }
        let addsEOS = metadata[TokenizerKey.addsEOS]?.bool ?? defaults.eos
        if addsEOS, let eos = specialTokens[.end] { suffix = [eos] }
        chatTemplates = TokenizerDefinition.chatTemplates(metadata)
    }

    /// - Returns: whether a text starts with BOS where the file does not say.
    private mutating func readByteLevelBPE(_ metadata: Metadata) throws(ModelError) -> Bool {
        let name = metadata[TokenizerKey.preTokenizer]?.string ?? "default"
        let preTokenizer = GGUFPreTokenizer.named(name)
        guard !GGUFPreTokenizer.plainNames.contains(name) else {
            throw ModelError(
                "pre-tokenizer '\(name)' of the GGUF file spells tokens in plain text; a byte-level BPE "
                    + "is supported")
        }
        // Our own key may say what a name that nobody knows stands for.
        guard preTokenizer != nil || metadata[TokenizerKey.exact] != nil else {
            throw ModelError(
                "pre-tokenizer '\(name.escapedForDisplay)' of the GGUF file is not known")
        }
        merges = try TokenizerDefinition.merges(metadata)
        self.preTokenizer = preTokenizer?.steps ?? []
        ignoresMerges = preTokenizer?.ignoresMerges ?? false
        decoder = [.byteLevel]
        return preTokenizer?.addsBOS ?? false
    }

    static func merges(_ metadata: Metadata) throws(ModelError) -> [Merge] {
        guard let joined = metadata[TokenizerKey.merges]?.strings else {
            throw ModelError("key '\(TokenizerKey.merges)' must be an array of UTF-8 strings")
        }
        var merges: [Merge] = []
        merges.reserveCapacity(joined.count)
        for (rank, text) in joined.enumerated() {
            guard let merge = Merge(joined: text) else {
                throw ModelError("key '\(TokenizerKey.merges)': merge \(rank) has no space in it")
            }
            merges.append(merge)
        }
        return merges
    }

    private mutating func readTypes(_ metadata: Metadata) throws(ModelError) {
        guard let value = metadata[TokenizerKey.types] else { return }
        guard let numbers = value.integers, numbers.count == tokens.count else {
            throw ModelError(
                "key '\(TokenizerKey.types)' must be an array of \(tokens.count) integers")
        }
        for (id, number) in numbers.enumerated() {
            // A type from a later version is no reason to refuse a file; the token is then text.
            types[id] = Int32(exactly: number).flatMap(TokenType.init) ?? .normal
            switch types[id] {
            case .control, .userDefined, .unknown:
                addedTokens.append(
                    AddedToken(tokens[id], id: Int32(id), isSpecial: types[id] != .userDefined))
            case .normal, .unused, .byte: break
            }
        }
    }

    private func id(_ metadata: Metadata, _ key: String) throws(ModelError) -> Int32? {
        guard let value = metadata[key] else { return nil }
        guard let id = value.integer else { throw ModelError("key '\(key)' must be an integer") }
        // Converters write ids of tokens that a cut vocabulary no longer has; llama.cpp ignores
        // those.
        return tokens.indices.contains(id) ? Int32(id) : nil
    }

    private static func chatTemplates(_ metadata: Metadata) -> [ChatTemplate] {
        var templates: [ChatTemplate] = []
        if let text = metadata[TokenizerKey.chatTemplate]?.string {
            templates.append(ChatTemplate(text: text))
        }
        for name in metadata[TokenizerKey.chatTemplates]?.strings ?? [] {
            guard let text = metadata["\(TokenizerKey.chatTemplate).\(name)"]?.string else {
                continue
            }
            templates.append(ChatTemplate(name: name, text: text))
        }
        return templates
    }
}
