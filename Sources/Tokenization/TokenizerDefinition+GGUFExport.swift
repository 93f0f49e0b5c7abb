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

        var notes: [String] = []
        let known = GGUFPreTokenizer.matching(preTokenizer, ignoresMerges: ignoresMerges)
        var metadata = padded.plainMetadata(
            preTokenizerName: known?.entry.names.first ?? Self.unknownName)
        // Reading back what has been written so far shows what is lost.
        metadata[TokenizerKey.exact] = .string("")
        let plain = try TokenizerDefinition(plainGGUF: metadata)
        let differences = padded.differences(from: plain, sameCuts: known?.isExact == true)
        metadata[TokenizerKey.exact] =
            differences.isEmpty ? nil : .string(JSON.object(differences).text())
        if known == nil {
            notes.append(
                "the pre-tokenizer has no name in GGUF; this package reads the file back exactly, "
                    + "llama.cpp will refuse it")
        }
        if let known, !known.isExact {
            notes.append(
                "llama.cpp knows the pre-tokenizer as '\(known.entry.names[0])' and cuts some texts in "
                    + "another way; this package reads the file back exactly")
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
        ("normalizer", "llama.cpp does not apply the tokenizer's normalizer"),
        ("ignore_merges", "llama.cpp treats whole words that are tokens in another way"),
        ("added_tokens", "llama.cpp does not know some options of the added tokens"),
        ("prefix", "llama.cpp does not put the same tokens before a text"),
        ("suffix", "llama.cpp does not put the same tokens after a text"),
    ]

    private func plainMetadata(preTokenizerName: String) -> Metadata {
        var metadata: Metadata = [:]
        metadata[TokenizerKey.model] = .string("gpt2")
        metadata[TokenizerKey.preTokenizer] = .string(preTokenizerName)
        metadata[TokenizerKey.tokens] = .array(.string(tokens))
        metadata[TokenizerKey.types] = .array(.int32(types.map(\.rawValue)))
        metadata[TokenizerKey.merges] = .array(.string(merges.map { "\($0.left) \($0.right)" }))
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

/// What plain GGUF keys cannot say, in the words of `tokenizer.json` where it has some.
extension TokenizerDefinition {
    private typealias Members = JSON.Members

    fileprivate func differences(
        from plain: TokenizerDefinition, sameCuts: Bool
    ) -> JSON.Members {
        var members: Members = [:]
        if normalizers != plain.normalizers { members["normalizer"] = Normalizer.json(normalizers) }
        if !sameCuts { members["pre_tokenizer"] = PreTokenizerStep.json(preTokenizer) }
        if ignoresMerges != plain.ignoresMerges { members["ignore_merges"] = .bool(ignoresMerges) }
        if let unknownToken { members["unk_token"] = .integer(Int(unknownToken)) }
        if fusesUnknown { members["fuse_unk"] = true }
        let added = addedTokens.filter { !plain.addedTokens.contains($0) }
        if !added.isEmpty { members["added_tokens"] = .array(added.map(\.json)) }
        if prefix != plain.prefix { members["prefix"] = .array(prefix.map { .integer(Int($0)) }) }
        if suffix != plain.suffix { members["suffix"] = .array(suffix.map { .integer(Int($0)) }) }
        return members
    }

    mutating func applyDifferences(_ json: JSON) throws(ModelError) {
        let part = TokenizerPart(json, named: TokenizerKey.exact)
        if let normalizer = json["normalizer"] { normalizers = try Normalizer.list(normalizer) }
        if let steps = json["pre_tokenizer"] { preTokenizer = try PreTokenizerStep.steps(steps) }
        ignoresMerges = try part.bool("ignore_merges", default: ignoresMerges)
        fusesUnknown = try part.bool("fuse_unk", default: fusesUnknown)
        unknownToken = try ids([json["unk_token"]].compactMap(\.self), part, "unk_token").first
        for token in json["added_tokens"]?.array ?? [] {
            let options = TokenizerPart(token, named: TokenizerKey.exact)
            guard let id = try ids([token["id"] ?? .null], part, "added_tokens").first,
                let place = addedTokens.firstIndex(where: { $0.id == id })
            else { throw part.wrong("added_tokens", "a list of added tokens of the vocabulary") }
            addedTokens[place].isNormalized = try options.bool("normalized", default: false)
            addedTokens[place].stripsLeft = try options.bool("lstrip", default: false)
            addedTokens[place].stripsRight = try options.bool("rstrip", default: false)
            addedTokens[place].isSingleWord = try options.bool("single_word", default: false)
        }
        if let list = json["prefix"]?.array { prefix = try ids(list, part, "prefix") }
        if let list = json["suffix"]?.array { suffix = try ids(list, part, "suffix") }
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
