import ByteIO
import TensorIR
import Tokenization

/// The tokens that end a text.
public enum StopTokens {
    /// What a checkpoint says: `eos_token_id` of its configurations, of which there may be several, and
    /// GGUF's end of sequence, of turn and of message.
    ///
    /// A GGUF file has room for one of each, so that models with more are known to lack some. There the
    /// control tokens count too that are commonly named for the end of a turn, as in llama.cpp.
    ///
    /// - Throws: `FormatError` for a configuration that is not JSON.
    public static func of(
        _ checkpoint: Checkpoint, _ tokenizer: Tokenizer
    ) throws -> Set<Int32> {
        var stated: [Int] = []
        switch checkpoint.dialect {
        case .huggingFace:
            for name in ["generation_config.json", "config.json"] {
                let document = try checkpoint.json(name)
                for part in [document, document?["text_config"]] {
                    let entry = part?["eos_token_id"]
                    stated += entry?.integer.map { [$0] } ?? []
                    stated += entry?.array?.compactMap(\.integer) ?? []
                }
            }
        case .gguf:
            for name in ["eos", "eot", "eom"] {
                let key = "tokenizer.ggml.\(name)_token_id"
                if let id = checkpoint.metadata[key]?.integer { stated.append(id) }
            }
            let definition = tokenizer.definition
            for token in definition.addedTokens
            where token.isSpecial && commonNames.contains(token.content) {
                stated.append(Int(token.id))
            }
        }
        var tokens = Set(stated.compactMap { Int32(exactly: $0) })
        if let end = tokenizer.eosToken { tokens.insert(end) }
        return tokens.filter { (0..<tokenizer.vocabularySize).contains(Int($0)) }
    }

    /// Spellings of the end of a turn, by the families that use them.
    private static let commonNames: Set<String> = [
        "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>",  // Llama 3
        "<|im_end|>", "<|endoftext|>",  // ChatML, Qwen, SmolLM
        "<end_of_turn>",  // Gemma
        "<|end|>",  // Phi 3
        "<EOT>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>",
    ]
}
