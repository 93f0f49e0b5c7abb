import ByteIO
import TensorIR

extension TokenizerDefinition {
    /// Reads SentencePiece's `tokenizer.model`.
    ///
    /// Text is changed as SentencePiece does it. A BPE starts with BOS and a Unigram ends with EOS, as
    /// llama.cpp assumes of files that do not say.
    /// - Throws: `FormatError` where the bytes are no such file; `ModelError` for a model of another
    ///   kind than BPE and Unigram.
    public init(sentencePiece bytes: [UInt8]) throws {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(FormatError) in try SentencePieceModel(buffer) }
        }
        let model = try result.get()
        switch model.kind {
        case .bpe: self.init(.characterBPE, tokens: model.pieces.map(\.text))
        case .unigram: self.init(.unigram, tokens: model.pieces.map(\.text))
        case .word, .character:
            throw ModelError(
                "tokenizer.model: model type '\(model.kind)' is not supported; supported: bpe, unigram"
            )
        }
        types = model.pieces.map(\.type)
        scores = model.pieces.map { Double($0.score) }
        usesByteFallback = model.usesByteFallback
        fusesUnknown = true
        for (id, type) in types.enumerated() {
            switch type {
            case .control, .unknown, .userDefined:
                addedTokens.append(
                    AddedToken(tokens[id], id: Int32(id), isSpecial: type != .userDefined))
            case .normal, .unused, .byte: break
            }
        }
        for (role, id) in model.ids where tokens.indices.contains(id) {
            specialTokens[role] = Int32(id)
        }
        unknownToken = specialTokens[.unknown]
        if self.model == .unigram { hideTokensThatAreNoText() }
        let map =
            model.characterMap.isEmpty
            ? nil : try CharacterMap(model.characterMap, matching: .longestPrefix)
        setSentencePieceText(
            map, removesExtraSpaces: model.removesExtraSpaces, addsPrefix: model.addsPrefix,
            escapesSpaces: model.escapesSpaces)
        if self.model == .characterBPE, let bos = specialTokens[.beginning] { prefix = [bos] }
        if self.model == .unigram, let eos = specialTokens[.end] { suffix = [eos] }
    }

    /// Text that is spelled like a control token or a byte is still text to SentencePiece.
    mutating func hideTokensThatAreNoText() {
        for (id, type) in types.enumerated() {
            switch type {
            case .control, .unknown, .byte: outsideModel.insert(Int32(id))
            case .unused where tokens[id] == TokenizerDefinition.filler(id):
                outsideModel.insert(Int32(id))
            case .normal, .userDefined, .unused: break
            }
        }
    }

    /// How SentencePiece changes a text before and after.
    mutating func setSentencePieceText(
        _ map: CharacterMap?, removesExtraSpaces: Bool, addsPrefix: Bool, escapesSpaces: Bool = true
    ) {
        let space = escapesSpaces ? "\u{2581}" : " "
        if let map { normalizers = [.precompiled(map)] }
        if removesExtraSpaces {
            normalizers += [
                .replace(.expression(#"\A +| +\z"#), with: ""),
                .replace(.expression(" {2,}"), with: " "),
            ]
        }
        if addsPrefix { normalizers.append(.prepend(space)) }
        if escapesSpaces {
            normalizers.append(.replace(.literal(" "), with: space))
            decoder = [.replace(space, with: " ")]
        }
        decoder += [.byteFallback, .fuse]
        if addsPrefix { decoder.append(.strip(" ", start: 1, stop: 0)) }
    }

    /// Takes the scores of a `tokenizer.model` that says the same tokens: GGUF has them, and
    /// `tokenizer.json` has lost them.
    mutating func takeScores(ofSentencePiece bytes: [UInt8]) throws {
        guard model == .characterBPE, scores.isEmpty else { return }
        let other = try TokenizerDefinition(sentencePiece: bytes)
        guard other.tokens.count <= tokens.count,
            zip(tokens, other.tokens).allSatisfy({ ExactString($0) == ExactString($1) })
        else { return }
        // What llama.cpp's converter writes for tokens that were added later.
        let added = Array(repeating: -1000.0, count: tokens.count - other.tokens.count)
        var scored = self
        scored.scores = other.scores + added
        // Where the scores say something else than the list, the list counts.
        guard !scored.needsMergesInGGUF else { return }
        scores = scored.scores
    }
}
