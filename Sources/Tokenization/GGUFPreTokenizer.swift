/// What a name in GGUF's `tokenizer.ggml.pre` means.
///
/// The file holds a name only; the expressions are in llama.cpp's `src/llama-vocab.cpp` and, where
/// it notes one, in the `tokenizer.json` that it was made from. The latter are used: llama.cpp's
/// own engine lacks some syntax, and its variants say the same in other words.
struct GGUFPreTokenizer: Sendable {
    let names: [String]
    /// Isolated one after the other.
    let expressions: [String]
    /// Normalizers of the tokenizers with this name, which llama.cpp leaves out.
    var normalizers: [Normalizer] = []
    var ignoresMerges = false
    /// Whether llama.cpp adds BOS where the file does not say.
    var addsBOS = false

    var steps: [PreTokenizerStep] { PreTokenizerStep.isolating(expressions) }

    static func named(_ name: String) -> GGUFPreTokenizer? {
        all.first { $0.names.contains(name) }
    }

    /// The first whose expressions are those, preferring one that treats merges alike.
    static func matching(_ expressions: [String], ignoresMerges: Bool) -> GGUFPreTokenizer? {
        let matching = all.filter { $0.expressions == expressions }
        return matching.first { $0.ignoresMerges == ignoresMerges } ?? matching.first
    }

    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let symbols = #" ?[^\s\p{L}\p{N}]+[\r\n]*"#
    private static let letters = #"[^\r\n\p{L}\p{N}]?\p{L}+"#
    private static let gpt2 = PreTokenizerStep.gpt2Expression
    private static let llama3 =
        #"\#(contractions)|\#(letters)|\p{N}{1,3}|\#(symbols)|\#(spaces)"#
    private static let qwen2 = #"\#(contractions)|\#(letters)|\p{N}|\#(symbols)|\#(spaces)"#
    /// Words that change from upper to lower case once (Tekken, GPT-4o).
    private static let capitalized =
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
    private static let uppercase =
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
    private static let symbolsAndSlashes = #" ?[^\s\p{L}\p{N}]+[\r\n/]*"#
    private static let gpt4o =
        #"\#(capitalized)\#(contractions)?|\#(uppercase)\#(contractions)?|\p{N}{1,3}|"#
        + #"\#(symbolsAndSlashes)|\#(spaces)"#
    private static let bloom = #" ?[^(\s|.,!?…。，、।۔،)]+"#
    private static let deepseek3 = [
        #"\p{N}{1,3}"#, "[一-龥\u{3040}-ゟ゠-ヿ]+",
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##
            + #" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    ]

    /// Where several share the expressions, the one that a writer should use stands first.
    static let all: [GGUFPreTokenizer] = [
        .init(
            names: [
                "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "jina-es",
                "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0", "mellum", "exaone4",
                "modern-bert",
            ], expressions: [gpt2]),
        .init(
            names: [
                "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
                "mellum2",
            ], expressions: [#"\p{N}"#, gpt2]),
        .init(
            names: [
                "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
                "lfm2", "jina-v5-nano",
            ], expressions: [llama3], ignoresMerges: true, addsBOS: true),
        .init(names: ["smaug-bpe", "dbrx", "glm4", "chatglm-bpe"], expressions: [llama3]),
        .init(
            names: ["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez"],
            expressions: [qwen2], normalizers: [.nfc]),
        .init(names: ["stablelm2", "hunyuan", "grok-2", "solar-open"], expressions: [qwen2]),
        .init(
            names: ["qwen35"],
            expressions: [
                #"\#(contractions)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"#
                    + #" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\#(spaces)"#
            ], normalizers: [.nfc]),
        .init(
            names: ["tekken"],
            expressions: [
                #"\#(capitalized)|\#(uppercase)|\p{N}|\#(symbolsAndSlashes)|\#(spaces)"#
            ], ignoresMerges: true, addsBOS: true),
        .init(
            names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], expressions: [gpt4o]),
        .init(
            names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], expressions: deepseek3),
        .init(
            names: ["deepseek-coder"],
            expressions: [
                #"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥ࠀ-一가-\u{D7FF}]+", #"\p{N}"#,
            ]),
        .init(names: ["bloom", "poro-chat", "gpt3-finnish"], expressions: [bloom]),
        .init(names: ["viking"], expressions: [bloom, #"\p{N}"#]),
        .init(
            names: ["bailingmoe", "bailingmoe2", "llada-moe"],
            expressions: [
                #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|"#
                    + #"\s*[\r\n]|\s+(?!\S)|\s+"#
            ]),
        .init(names: ["superbpe"], expressions: [#"\p{N}+"#, #"(?=(\d{3})+(?!\d))"#]),
        .init(
            names: ["tiny_aya", "cohere2moe"], expressions: [#"\d{1,3}(?=(?:\d{3})*\b)"#, gpt4o]),
        // What llama.cpp assumes for files that name none; its engine warns about the quality.
        .init(
            names: ["default"],
            expressions: [#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"]),
    ]
}
