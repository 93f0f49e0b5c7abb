import ByteIO
import TensorIR

/// Folders without a `tokenizer.json`.
extension TokenizerDefinition {
    /// Reads what older tokenizers are made of: `tokenizer.model`, `vocab.json` with `merges.txt`, or
    /// `vocab.txt`.
    init(folder checkpoint: Checkpoint) throws {
        if let bytes = checkpoint.documents["tokenizer.model"] {
            try self.init(sentencePiece: bytes)
        } else if let vocabulary = try checkpoint.json("vocab.json"),
            let merges = checkpoint.documents["merges.txt"]
        {
            try self.init(vocabulary: vocabulary, merges: merges, of: checkpoint)
        } else if let bytes = checkpoint.documents["vocab.txt"] {
            try self.init(wordList: bytes, try checkpoint.json("tokenizer_config.json") ?? [:])
        } else {
            throw ModelError(
                "there is no tokenizer beside the weights: no tokenizer.json, tokenizer.model, "
                    + "vocab.json with merges.txt, or vocab.txt")
        }
        try addTokens(
            try checkpoint.json("added_tokens.json"),
            try checkpoint.json("tokenizer_config.json")?["added_tokens_decoder"])
        if model == .byteLevelBPE { try addSpecialTokens(ofBytePairs: checkpoint) }
    }

    /// BERT's `vocab.txt`: a token a line, its number the id.
    private init(wordList bytes: [UInt8], _ settings: JSON) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FormatError(.malformed, in: "vocab.txt", at: 0, "not UTF-8")
        }
        var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { line in
                String(
                    decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line,
                    as: UTF8.self)
            }
        if lines.last == "" { lines.removeLast() }
        self.init(.wordPiece, tokens: lines)
        let part = TokenizerPart(settings, named: "tokenizer_config.json")
        var options = BertNormalization()
        options.lowercases = try part.bool("do_lower_case", default: true)
        options.separatesIdeographs = try part.bool("tokenize_chinese_chars", default: true)
        if let strips = settings["strip_accents"], !strips.isNull {
            options.stripsAccents = try part.bool("strip_accents", default: false)
        }
        normalizers = [.bert(options)]
        preTokenizer = [.bert]
        decoder = [.wordPiece(prefix: continuationPrefix, cleansUp: true)]
        let names: [(SpecialTokenRole, String)] = [
            (.unknown, "[UNK]"), (.separator, "[SEP]"), (.padding, "[PAD]"),
            (.classification, "[CLS]"), (.mask, "[MASK]"),
        ]
        let vocabulary = ByteTable(tokens)
        for (role, usual) in names {
            let entry = settings["\(role.rawValue)_token"]
            let name = entry?.string ?? entry?["content"]?.string ?? usual
            guard let id = vocabulary[Array(name.utf8)] else { continue }
            specialTokens[role] = id
            types[Int(id)] = .control
            addedTokens.append(AddedToken(name, id: id, isSpecial: true))
        }
        addedTokens.sort { $0.id < $1.id }
        unknownToken = specialTokens[.unknown]
        if let first = specialTokens[.classification], let last = specialTokens[.separator] {
            (prefix, suffix) = ([first], [last])
        }
    }

    /// Tokens that were added later: `added_tokens.json` by content, `added_tokens_decoder` by id.
    private mutating func addTokens(_ byContent: JSON?, _ byID: JSON?) throws(ModelError) {
        var found: [AddedToken] = []
        for (content, id) in byContent?.object ?? [:] {
            found.append(
                AddedToken(content.string, id: try addedID(id.integer, content), isSpecial: false))
        }
        for (id, options) in byID?.object ?? [:] {
            let part = TokenizerPart(options, named: "added_tokens_decoder")
            let token = AddedToken(
                try part.string("content"), id: try addedID(Int(id.string), id),
                isSpecial: try part.bool("special", default: false),
                isNormalized: try part.bool("normalized", default: false),
                stripsLeft: try part.bool("lstrip", default: false),
                stripsRight: try part.bool("rstrip", default: false),
                isSingleWord: try part.bool("single_word", default: false))
            found.removeAll { $0.id == token.id }
            found.append(token)
        }
        for token in found {
            let id = Int(token.id)
            for hole in tokens.count..<max(tokens.count, id + 1) {
                tokens.append(TokenizerDefinition.filler(hole))
                types.append(.unused)
                outsideModel.insert(Int32(hole))
                if !scores.isEmpty { scores.append(-1000) }
            }
            tokens[id] = token.content
            if types[id] != .unknown { types[id] = token.isSpecial ? .control : .userDefined }
            addedTokens.removeAll { $0.id == token.id }
            addedTokens.append(token)
        }
        if model == .characterBPE { outsideModel = [] }
        addedTokens.sort { $0.id < $1.id }
    }

    private func addedID(_ id: Int?, _ name: ExactString) throws(ModelError) -> Int32 {
        // A file of a few bytes must not make millions of tokens by one large id.
        guard let id, (0..<2 * tokens.count + 65_536).contains(id) else {
            throw ModelError("added token '\(name.escapedForDisplay)' has no id that can be")
        }
        return Int32(clamping: id)
    }
}
