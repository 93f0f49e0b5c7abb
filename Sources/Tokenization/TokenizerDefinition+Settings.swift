import ByteIO
import TensorIR

extension TokenizerDefinition {
    /// Reads what encoding puts around a text from the `post_processor` of a `tokenizer.json`.
    mutating func readPostProcessor(_ json: JSON?) throws(ModelError) {
        guard let json, !json.isNull else { return }
        let part = TokenizerPart(json, named: "post-processor")
        switch try part.type() {
        // Adjusts the offsets of tokens in the text, which nobody asks for here.
        case "ByteLevel": return
        case "Sequence":
            for processor in try part.array("processors") { try readPostProcessor(processor) }
        case "TemplateProcessing": try readTemplate(part)
        case "BertProcessing", "RobertaProcessing":
            guard let first = json["cls"]?.array?.last?.integer,
                let last = json["sep"]?.array?.last?.integer
            else { throw part.wrong("cls' and 'sep", "pairs of a token and an id") }
            prefix = [try checkedID(first, "cls")] + prefix
            suffix.append(try checkedID(last, "sep"))
        case let other:
            throw ModelError(
                "post-processor '\(other.escapedForDisplay)' is not supported; supported: Sequence, "
                    + "ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing")
        }
    }

    /// Special tokens, one text, special tokens.
    private mutating func readTemplate(_ part: TokenizerPart) throws(ModelError) {
        var before: [Int32] = []
        var after: [Int32] = []
        var isAfterText = false
        for piece in try part.array("single") {
            if piece["Sequence"] != nil {
                guard !isAfterText else { throw part.wrong("single", "a template with one text") }
                isAfterText = true
                continue
            }
            guard let name = piece["SpecialToken"]?["id"]?.string,
                let ids = part.json["special_tokens"]?[name]?["ids"]?.array
            else { throw part.wrong("single", "a list of texts and of special tokens with ids") }
            for id in ids {
                let checked = try checkedID(id.integer, name)
                if isAfterText { after.append(checked) } else { before.append(checked) }
            }
        }
        guard isAfterText else { throw part.wrong("single", "a template with one text") }
        prefix = before + prefix
        suffix += after
    }

    private func checkedID(_ id: Int?, _ name: String) throws(ModelError) -> Int32 {
        guard let id, tokens.indices.contains(id) else {
            throw ModelError(
                "post-processor: the id of '\(name.escapedForDisplay)' is not in the vocabulary")
        }
        return Int32(id)
    }

    /// Finds the tokens of each role: by name in the tokenizer's settings, else by id in the
    /// model's.
    mutating func findSpecialTokens(_ settings: [JSON], _ models: [JSON]) {
        for role in SpecialTokenRole.allCases {
            for document in settings where specialTokens[role] == nil {
                let entry = document["\(role.rawValue)_token"]
                guard let name = entry?.string ?? entry?["content"]?.string else { continue }
                specialTokens[role] = id(of: name)
            }
            for document in models where specialTokens[role] == nil {
                let entry =
                    document["\(role.rawValue)_token_id"]
                    ?? document["text_config"]?["\(role.rawValue)_token_id"]
                // Several tokens may end a text; the first is the one that a tokenizer writes.
                guard let id = entry?.integer ?? entry?.array?.first?.integer,
                    tokens.indices.contains(id)
                else { continue }
                specialTokens[role] = Int32(id)
            }
        }
        // Without settings, a template's only token before or after the text plays that part.
        guard settings.isEmpty else { return }
        if model == .wordPiece {
            specialTokens[.classification] = specialTokens[.classification] ?? prefix.first
            specialTokens[.separator] = specialTokens[.separator] ?? suffix.last
            return
        }
        if prefix.count == 1 { specialTokens[.beginning] = specialTokens[.beginning] ?? prefix[0] }
        if suffix.count == 1 { specialTokens[.end] = specialTokens[.end] ?? suffix[0] }
    }

    /// Applies `add_bos_token` and `add_eos_token` of a `tokenizer_config.json`.
    ///
    /// Said out loud, they overrule the template of `tokenizer.json`, in either direction and for
    /// every tokenizer class, as in transformers 5 and llama.cpp's converter. Unsaid, the template
    /// holds.
    mutating func applySettings(_ settings: JSON) throws(ModelError) {
        let part = TokenizerPart(settings, named: "tokenizer_config.json")
        if let bos = specialTokens[.beginning] {
            let wanted = try part.bool("add_bos_token", default: addsBOS)
            if wanted, !addsBOS { prefix.insert(bos, at: 0) }
            if !wanted, addsBOS { prefix.removeFirst() }
        }
        if let eos = specialTokens[.end] {
            let wanted = try part.bool("add_eos_token", default: addsEOS)
            if wanted, !addsEOS { suffix.append(eos) }
            if !wanted, addsEOS { suffix.removeLast() }
        }
    }
}

extension ChatTemplate {
    /// Reads `chat_template`: one text, or a list of names and texts.
    static func list(_ json: JSON?) throws(ModelError) -> [ChatTemplate] {
        guard let json, !json.isNull else { return [] }
        if let text = json.string { return [ChatTemplate(text: text)] }
        guard let array = json.array else {
            throw ModelError("'chat_template' must be a string or a list")
        }
        var templates: [ChatTemplate] = []
        for element in array {
            guard let name = element["name"]?.string, let text = element["template"]?.string else {
                throw ModelError("'chat_template': each element needs 'name' and 'template'")
            }
            templates.append(ChatTemplate(name: name, text: text))
        }
        return templates.filter { $0.name == defaultName }
            + templates.filter { $0.name != defaultName }
    }
}
