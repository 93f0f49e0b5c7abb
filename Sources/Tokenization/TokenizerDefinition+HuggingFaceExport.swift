import ByteIO
import OrderedCollections
import TensorIR

extension TokenizerDefinition {
    /// The tokenizer as the documents of a Hugging Face folder: `tokenizer.json`,
    /// `tokenizer_config.json` and `special_tokens_map.json`, by name.
    ///
    /// The `tokenizers` library loads the first and encodes as this package does.
    public func huggingFaceDocuments() -> OrderedDictionary<String, [UInt8]> {
        [
            "tokenizer.json": tokenizerDocument.bytes(indentation: 2),
            "tokenizer_config.json": configurationDocument.bytes(indentation: 2),
            "special_tokens_map.json": JSON.object(roles).bytes(indentation: 2),
        ]
    }

    private var tokenizerDocument: JSON {
        [
            "version": "1.0", "truncation": nil, "padding": nil,
            "added_tokens": .array(addedTokens.map(\.json)),
            "normalizer": Normalizer.json(normalizers),
            "pre_tokenizer": PreTokenizerStep.json(preTokenizer),
            "post_processor": postProcessor,
            "decoder": DecoderStep.json(decoder),
            "model": modelDocument,
        ]
    }

    private var modelDocument: JSON {
        let unknown = unknownToken.map { JSON.string(tokens[Int($0)]) } ?? .null
        switch model {
        case .byteLevelBPE, .characterBPE:
            return [
                "type": "BPE", "dropout": nil, "unk_token": unknown,
                "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
                "fuse_unk": .bool(fusesUnknown), "byte_fallback": .bool(usesByteFallback),
                "ignore_merges": .bool(ignoresMerges), "vocab": .object(vocabulary),
                "merges": .array(mergesInFull.map { [.string($0.left), .string($0.right)] }),
            ]
        case .unigram:
            // Ids are places in the list, so it has no holes.
            let end = tokens.indices.last { !outsideModel.contains(Int32($0)) }.map { $0 + 1 } ?? 0
            return [
                "type": "Unigram", "unk_id": unknownToken.map { .integer(Int($0)) } ?? .null,
                "vocab": .array(
                    (0..<end).map { [.string(tokens[$0]), .number(scores[$0])] }),
                "byte_fallback": .bool(usesByteFallback),
            ]
        case .wordPiece:
            return [
                "type": "WordPiece", "unk_token": unknown,
                "continuing_subword_prefix": .string(continuationPrefix),
                "max_input_chars_per_word": .integer(maximumWordLength),
                "vocab": .object(vocabulary),
            ]
        }
    }

    /// The merges, listed where the file has scores in their place.
    private var mergesInFull: [Merge] {
        merges.isEmpty && !scores.isEmpty ? MergeTable.merges(scoresOf: self) : merges
    }

    /// Tokens that fill holes stay out: the library leaves holes as they are. Added tokens stay out
    /// too, unless the merges need them; they have a list of their own.
    private var vocabulary: JSON.Members {
        var vocabulary = JSON.Members(minimumCapacity: tokens.count)
        for (id, token) in tokens.enumerated()
        where (types[id] != .unused || token != TokenizerDefinition.filler(id))
            && !outsideModel.contains(Int32(id))
        {
            vocabulary[token] = .integer(id)
        }
        return vocabulary
    }

    private var postProcessor: JSON {
        guard !prefix.isEmpty || !suffix.isEmpty else { return nil }
        func text(_ name: String, _ type: Int) -> JSON {
            ["Sequence": ["id": .string(name), "type_id": .integer(type)]]
        }
        func special(_ id: Int32, _ type: Int) -> JSON {
            ["SpecialToken": ["id": .string(tokens[Int(id)]), "type_id": .integer(type)]]
        }
        func single(_ name: String, _ type: Int) -> [JSON] {
            prefix.map { special($0, type) } + [text(name, type)] + suffix.map { special($0, type) }
        }
        var ids: JSON.Members = [:]
        for id in prefix + suffix {
            let token = tokens[Int(id)]
            ids[token] = [
                "id": .string(token), "ids": [.integer(Int(id))], "tokens": [.string(token)],
            ]
        }
        return [
            "type": "TemplateProcessing", "single": .array(single("A", 0)),
            "pair": .array(single("A", 0) + single("B", 1)), "special_tokens": .object(ids),
        ]
    }

    private var roles: JSON.Members {
        var roles: JSON.Members = [:]
        for role in SpecialTokenRole.allCases {
            guard let id = specialTokens[role] else { continue }
            roles["\(role.rawValue)_token"] = .string(tokens[Int(id)])
        }
        return roles
    }

    private var configurationDocument: JSON {
        var members: JSON.Members = [
            "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": .bool(addsBOS),
            "add_eos_token": .bool(addsEOS), "clean_up_tokenization_spaces": false,
        ]
        members.merge(roles) { $1 }
        if chatTemplates.count == 1, chatTemplates[0].name == ChatTemplate.defaultName {
            members["chat_template"] = .string(chatTemplates[0].text)
        } else if !chatTemplates.isEmpty {
            members["chat_template"] = .array(
                chatTemplates.map { ["name": .string($0.name), "template": .string($0.text)] })
        }
        return .object(members)
    }
}

extension AddedToken {
    /// The token as the `added_tokens` of a `tokenizer.json` list it.
    var json: JSON {
        [
            "id": .integer(Int(id)), "content": .string(content),
            "single_word": .bool(isSingleWord),
            "lstrip": .bool(stripsLeft), "rstrip": .bool(stripsRight),
            "normalized": .bool(isNormalized), "special": .bool(isSpecial),
        ]
    }
}
