import ByteIO
import OrderedCollections
import TensorIR

/// A tokenizer in the words of a file format, with remarks for the user.
public struct GGUFTokenizer: Sendable, Hashable {
    /// Keys in the order of llama.cpp's converter.
    public let metadata: Metadata
    /// What other programs will not make of it; empty where llama.cpp encodes every text alike.
    public let notes: [String]
}

extension TokenizerDefinition {
    /// The tokenizer as GGUF's key-values, which `init(gguf:)` reads back exactly.
    ///
    /// `tokenizer.ggml.pre` is chosen by what the pre-tokenizer does. Whatever GGUF's own keys
    /// cannot say is written as JSON under `detent.tokenizer`, and only then. `vocabularySize` is
    /// the number of rows of the model's embedding; ids beyond the tokenizer's become unused
    /// tokens.
    /// - Throws: `ModelError` where the embedding has fewer rows than there are tokens.
    public func gguf(vocabularySize: Int? = nil) throws(ModelError) -> GGUFTokenizer {
        let size = vocabularySize ?? tokens.count
        guard size >= tokens.count else {
            throw ModelError("the tokenizer has \(tokens.count) tokens, the model only \(size)")
        }
        var padded = self
        padded.tokens += (tokens.count..<size).map(TokenizerDefinition.filler)
        padded.types += Array(repeating: .unused, count: size - tokens.count)
        if !scores.isEmpty {
            padded.scores += Array(repeating: 0, count: size - tokens.count)
        }
        if model == .unigram { padded.outsideModel.formUnion(Int32(tokens.count)..<Int32(size)) }

        var notes: [String] = []
        let known =
            model == .byteLevelBPE
            ? GGUFPreTokenizer.matching(preTokenizer, ignoresMerges: ignoresMerges) : nil
        var metadata = padded.plainMetadata(
            preTokenizerName: known?.entry.names.first ?? Self.unknownName)
        // Reading back what has been written so far shows what is lost.
        metadata[TokenizerKey.exact] = .string("")
        var read = metadata
        // Of merges nothing is lost, and they are as many as tokens.
        if model == .byteLevelBPE { read[TokenizerKey.merges] = .array(.string([])) }
        let plain = try TokenizerDefinition(plainGGUF: read)
        let sameCuts = known?.isExact ?? (preTokenizer == plain.preTokenizer)
        let differences = padded.differences(from: plain, sameCuts: sameCuts)
        metadata[TokenizerKey.exact] =
            differences.isEmpty ? nil : .string(JSON.object(differences).text())
        if known == nil, model == .byteLevelBPE {
            notes.append(
                "the pre-tokenizer has no name in GGUF; this package reads the file back exactly, "
                    + "llama.cpp will refuse it")
        }
        if let known, !known.isExact {
            notes.append(
                "llama.cpp knows the pre-tokenizer as '\(known.entry.names[0])' and cuts some texts in "
                    + "another way; this package reads the file back exactly")
        }
        if model == .characterBPE, !usesByteFallback {
            notes.append(
                "llama.cpp ends at characters that are no tokens: the vocabulary has none for bytes"
            )
        }
        if model != .byteLevelBPE, differences["pre_tokenizer"] != nil {
            notes.append("llama.cpp cuts some texts, or puts spaces before them, in another way")
        }
        for (key, effect) in Self.effects where differences[key] != nil {
            notes.append(effect)
        }
        return GGUFTokenizer(metadata: metadata, notes: notes)
    }

    /// A name that llama.cpp does not know, so that it refuses the file instead of cutting text
    /// wrongly.
    static let unknownName = "detent"

    private static let effects: [(String, String)] = [
        ("merges", "llama.cpp merges by scores and may choose other tokens"),
        ("normalizer", "llama.cpp does not apply the tokenizer's normalizer"),
        ("ignore_merges", "llama.cpp treats whole words that are tokens in another way"),
        ("added_tokens", "llama.cpp does not know some options of the added tokens"),
        ("prefix", "llama.cpp does not put the same tokens before a text"),
        ("suffix", "llama.cpp does not put the same tokens after a text"),
    ]

    private func plainMetadata(preTokenizerName: String) -> Metadata {
        var metadata: Metadata = [:]
        metadata[TokenizerKey.model] = .string(TokenizerKey.name(of: model))
        metadata[TokenizerKey.preTokenizer] = .string(
            model == .byteLevelBPE ? preTokenizerName : "default")
        let spellings = model == .wordPiece ? tokens.map(wordPieceSpelling) : tokens
        metadata[TokenizerKey.tokens] = .array(.string(spellings))
        if model == .characterBPE || model == .unigram {
            metadata[TokenizerKey.scores] = .array(.float32(exportedScores.map { Float($0) }))
        }
        metadata[TokenizerKey.types] = .array(.int32(types.map(\.rawValue)))
        if model == .byteLevelBPE || needsMergesInGGUF {
            metadata[TokenizerKey.merges] = .array(
                .string(merges.map { $0.left + " " + $0.right }))
        }
        addSpaceOptions(to: &metadata)
        for role in SpecialTokenRole.allCases {
            guard let id = specialTokens[role] else { continue }
            metadata[TokenizerKey.id(of: role)] = .uint32(UInt32(id))
        }
        metadata[TokenizerKey.addsBOS] = .bool(addsBOS)
        if addsEOS { metadata[TokenizerKey.addsEOS] = .bool(true) }
        var names: [String] = []
        for template in chatTemplates where template.name != ChatTemplate.defaultName {
            names.append(template.name)
            metadata["\(TokenizerKey.chatTemplate).\(template.name)"] = .string(template.text)
        }
        if !names.isEmpty { metadata[TokenizerKey.chatTemplates] = .array(.string(names)) }
        if let template = chatTemplates.first(where: { $0.name == ChatTemplate.defaultName }) {
            metadata[TokenizerKey.chatTemplate] = .string(template.text)
        }
        return metadata
    }
}
