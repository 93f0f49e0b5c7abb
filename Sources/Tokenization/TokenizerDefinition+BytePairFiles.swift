import ByteIO
import OrderedCollections
import TensorIR

/// Tokenizers from before `tokenizer.json`: `vocab.json` and `merges.txt`.
///
/// The two files hold tokens and merges; how text is cut is code, known by the tokenizer's class.
extension TokenizerDefinition {
    /// A class of byte-level tokenizers in transformers.
    private struct BytePairClass {
        let names: [String]
        /// `model_type` in a `config.json`, where no class is named.
        let modelTypes: [String]
        var normalizer: JSON = nil
        var preTokenizer: [PreTokenizerStep]?
        /// Special tokens that the class brings along, by role.
        var specialTokens: [(role: SpecialTokenRole, content: String)]
        /// Whether a text stands between the classification and the separator token.
        var isEnclosed = false
        var addsPrefixSpace = false

        static let all: [BytePairClass] = [
            BytePairClass(
                names: ["GPT2Tokenizer", "CodeGenTokenizer", "GPTNeoXTokenizer"],
                modelTypes: [
                    "gpt2", "gpt_neo", "gptj", "opt", "codegen", "gpt_bigcode", "starcoder2", "phi",
                    "gpt_neox",
                ],
                specialTokens: [.beginning, .end, .unknown].map { ($0, "<|endoftext|>") }),
            BytePairClass(
                names: ["Qwen2Tokenizer"],
                modelTypes: ["qwen2", "qwen2_moe", "qwen3", "qwen3_moe"],
                normalizer: ["type": "NFC"], preTokenizer: GGUFPreTokenizer.named("qwen2")?.steps,
                specialTokens: [.end, .unknown, .padding].map { ($0, "<|endoftext|>") }),
            BytePairClass(
                names: [
                    "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer",
                    "MvpTokenizer",
                ], modelTypes: ["roberta", "bart", "longformer", "led", "mvp"],
                specialTokens: [
                    (.beginning, "<s>"), (.end, "</s>"), (.unknown, "<unk>"), (.separator, "</s>"),
                    (.padding, "<pad>"), (.classification, "<s>"), (.mask, "<mask>"),
                ], isEnclosed: true),
        ]
    }

    /// Reads the tokenizer of a folder with `vocab.json` and `merges.txt`.
    ///
    /// Tokens that were added later come from other files, and special ones after those.
    /// - Throws: `FormatError` and `ModelError`, naming the file or a class that is not known.
    init(vocabulary: JSON, merges bytes: [UInt8], of checkpoint: Checkpoint) throws {
        let settings = try checkpoint.json("tokenizer_config.json") ?? [:]
        let tokenizerClass = try TokenizerDefinition.bytePairClass(
            settings, try checkpoint.json("config.json") ?? [:])
        let options = TokenizerPart(settings, named: "tokenizer_config.json")
        let addsPrefixSpace = try options.bool(
            "add_prefix_space", default: tokenizerClass.addsPrefixSpace)
        let steps =
            tokenizerClass.preTokenizer
            ?? [.byteLevel(addsPrefixSpace: addsPrefixSpace, usesExpression: true)]
        let merges = try TokenizerDefinition.mergeLines(bytes)
        try self.init(
            tokenizer: [
                "model": ["type": "BPE", "vocab": vocabulary, "merges": .array(merges)],
                "normalizer": tokenizerClass.normalizer,
                "pre_tokenizer": PreTokenizerStep.json(steps), "decoder": ["type": "ByteLevel"],
            ])
    }

    private static func bytePairClass(
        _ settings: JSON, _ configuration: JSON
    ) throws(ModelError) -> BytePairClass {
        if let name = settings["tokenizer_class"]?.string {
            let plain = name.hasSuffix("Fast") ? String(name.dropLast("Fast".count)) : name
            if let known = BytePairClass.all.first(where: { $0.names.contains(plain) }) {
                return known
            }
            guard plain == "PreTrainedTokenizer" else {
                throw ModelError(
                    "tokenizer class '\(name.escapedForDisplay)' with a vocab.json is not known; "
                        + "known: "
                        + BytePairClass.all.flatMap(\.names).joined(separator: ", "))
            }
        }
        let type = configuration["model_type"]?.string
        guard
            let known = BytePairClass.all.first(where: { $0.modelTypes.contains(type ?? "gpt2") })
        else {
            throw ModelError(
                "a vocab.json without a class in tokenizer_config.json says too little for a model of "
                    + "type '\((type ?? "").escapedForDisplay)'")
        }
        return known
    }

    /// `left right` a line, the most urgent first, perhaps behind a line with a version.
    private static func mergeLines(_ bytes: [UInt8]) throws(FormatError) -> [JSON] {
        var merges: [JSON] = []
        var offset = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            defer { offset += line.count + 1 }
            let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard !text.isEmpty, !text.starts(with: "#version".utf8) else { continue }
            guard let merge = String(validating: text, as: UTF8.self) else {
                throw FormatError(.malformed, in: "merges.txt", at: offset, "not UTF-8")
            }
            guard text.count(where: { $0 == UInt8(ascii: " ") }) == 1 else {
                throw FormatError(
                    .malformed, in: "merges.txt", at: offset, "a merge is two tokens and a space")
            }
            merges.append(.string(merge))
        }
        return merges
    }

    /// Makes the tokens with a part to play special, and adds those that are new.
    mutating func addSpecialTokens(ofBytePairs checkpoint: Checkpoint) throws {
        let settings = try checkpoint.json("tokenizer_config.json") ?? [:]
        let map = try checkpoint.json("special_tokens_map.json") ?? [:]
        let tokenizerClass = try TokenizerDefinition.bytePairClass(
            settings, try checkpoint.json("config.json") ?? [:])
        for role in SpecialTokenRole.allCases {
            let key = "\(role.rawValue)_token"
            let entry = [settings[key], map[key]].compactMap(\.self).first { !$0.isNull }
            // A file that says null wants none.
            let isDisabled = entry == nil && (settings[key] != nil || map[key] != nil)
            let usual = tokenizerClass.specialTokens.first { $0.role == role }?.content
            guard let content = entry?.string ?? entry?["content"]?.string ?? usual, !isDisabled
            else { continue }
            // What is only usual need not be there.
            guard let id = id(of: content) ?? (entry == nil ? nil : Int32(clamping: tokens.count))
            else { continue }
            if Int(id) == tokens.count {
                tokens.append(content)
                types.append(.control)
            }
            specialTokens[role] = id
            types[Int(id)] = .control
            if let known = addedTokens.firstIndex(where: { $0.id == id }) {
                addedTokens[known].isSpecial = true
            } else {
                let stripsLeft = entry?["lstrip"]?.bool ?? (role == .mask && entry == nil)
                addedTokens.append(
                    AddedToken(content, id: id, isSpecial: true, stripsLeft: stripsLeft))
            }
        }
        addedTokens.sort { $0.id < $1.id }
        if tokenizerClass.isEnclosed, let first = specialTokens[.classification],
            let last = specialTokens[.separator]
        {
            (prefix, suffix) = ([first], [last])
        }
    }
}
