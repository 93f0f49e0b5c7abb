/// What a name in GGUF's `tokenizer.ggml.pre` means.
///
/// The file holds a name only; what it stands for is in llama.cpp (`src/llama-vocab.cpp`,
/// `src/unicode.cpp`). A name is read as llama.cpp reads it, and written for tokenizers that cut text
/// so, however their files say it.
struct GGUFPreTokenizer: Sendable {
    /// The one to write stands first.
    let names: [String]
    /// What llama.cpp isolates, one expression after the other.
    let expressions: [String]
    /// Tokenizers that the names were made for but llama.cpp's engine only comes near.
    var origins: [[PreTokenizerStep]] = []
    var ignoresMerges = false
    /// Whether llama.cpp adds BOS where the file does not say.
    var addsBOS = false

    var steps: [PreTokenizerStep] { PreTokenizerStep.isolating(expressions) }

    static func named(_ name: String) -> GGUFPreTokenizer? {
        all.first { $0.names.contains(name) }
    }

    /// Names whose tokens are spelled in plain UTF-8, not in bytes: they are no byte-level BPE.
    static let plainNames = [
        "gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace",
    ]

    /// The name to write for a pre-tokenizer, and whether llama.cpp cuts exactly as that does.
    ///
    /// Of several the one that treats merges alike is preferred.
    static func matching(
        _ steps: [PreTokenizerStep], ignoresMerges: Bool
    ) -> (entry: GGUFPreTokenizer, isExact: Bool)? {
        let form = PreTokenizerForm(steps)
        func best(_ entries: [GGUFPreTokenizer]) -> GGUFPreTokenizer? {
            entries.first { $0.ignoresMerges == ignoresMerges } ?? entries.first
        }
        if let exact = best(all.filter { PreTokenizerForm($0.steps) == form }) {
            return (exact, true)
        }
        let near = all.filter { entry in
            entry.origins.contains { PreTokenizerForm($0) == form }
        }
        return best(near).map { ($0, false) }
    }

    static let all: [GGUFPreTokenizer] = common + deepSeek + mixedCase + others
}

// Parts that many expressions share. `\p{Lu}…\p{M}` and other literals are as in the files.
private let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
private let ends = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
private let letters = #"[^\r\n\p{L}\p{N}]?\p{L}+"#
private let symbols = #" ?[^\s\p{L}\p{N}]+[\r\n]*"#
private let symbolsAndSlashes = #" ?[^\s\p{L}\p{N}]+[\r\n/]*"#
private let gpt2 = PreTokenizerStep.gpt2Expression
private let llama3 = #"\#(contractions)|\#(letters)|\p{N}{1,3}|\#(symbols)|\#(ends)"#
private let qwen2 = #"\#(contractions)|\#(letters)|\p{N}|\#(symbols)|\#(ends)"#

extension GGUFPreTokenizer {
    /// Those that GPT-2, Llama 3 and Qwen 2 brought.
    private static let common: [GGUFPreTokenizer] = [
        .init(
            names: [
                "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "jina-es",
                "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0", "mellum", "exaone4",
                "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe",
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
        .init(names: ["smaug-bpe", "dbrx", "chatglm-bpe"], expressions: [llama3]),
        .init(names: ["glm4", "glm5"], expressions: [llama3], ignoresMerges: true),
        .init(
            names: [
                "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan",
                "solar-open", "grok-2",
            ], expressions: [qwen2]),
        .init(
            names: ["qwen35"],
            expressions: [
                #"\#(contractions)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"#
                    + #" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\#(ends)"#
            ]),
        .init(
            names: ["jais-2"],
            expressions: [
                #"\#(contractions)|\#(letters)|\p{N}{1,3}|\#(symbols)|\s*[\r\n]+|"#
                    + [512, 256, 128, 64, 32, 16, 8, 4].map { #"\s{\#($0)}(?!\S)|"# }.joined()
                    + #"\s{1,2}(?!\S)|\s{1}"#
            ]),
        .init(
            names: ["minicpm5"],
            expressions: [
                #"\p{N}{1,3}"#, #"\#(contractions)|\#(letters)|\p{N}+|\#(symbols)|\#(ends)"#,
            ], ignoresMerges: true),
        .init(
            names: ["seed-coder"],
            expressions: [
                #"\#(contractions)|\#(letters)|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\#(ends)"#
            ]),
        .init(
            names: ["ufakzeka"], expressions: [#"\#(letters)|\p{N}|\#(symbols)|\#(ends)"#]),
        .init(names: ["laguna"], expressions: [#"[^\n]+|[\n]+"#, qwen2]),
        .init(
            names: ["bailingmoe", "bailingmoe2", "llada-moe"],
            expressions: [bailing("", "")],
            // What the possessive repetitions of the original give up they could not use.
            origins: [PreTokenizerStep.isolating([bailing("+", "+")])]),
        .init(
            names: ["exaone-moe"],
            expressions: [
                #"\#(contractions)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|"#
                    + #" ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"#
            ]),
    ]

    private static func bailing(_ optional: String, _ repeated: String) -> String {
        #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\#(optional)\p{L}+|\p{N}|"#
            + #" ?[^\s\p{L}\p{N}]+\#(repeated)[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#
    }

    // MARK: DeepSeek

    private static let ideographs = #"[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+"#
    /// In llama.cpp white space is in no range.
    private static let visibleIdeographs = #"[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF&&\S]+"#
    private static func deepSeekCoder(_ ideographs: String) -> [String] {
        [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, ideographs, #"\p{N}"#]
    }
    private static let hanAndKana = #"[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+"#
    private static let markedSymbols =
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##
    private static let deepSeek3 =
        #"\#(markedSymbols) ?[\p{P}\p{S}]+[\r\n]*|\#(ends)"#

    private static let deepSeek: [GGUFPreTokenizer] = [
        .init(
            names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
            expressions: [#"\p{N}{1,3}"#, hanAndKana, deepSeek3]),
        .init(
            names: ["spark2_5"],
            expressions: [
                #"\p{N}{1,3}"#, hanAndKana,
                #"\#(markedSymbols) ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"#, #"\p{N}"#,
            ]),
        .init(
            names: ["deepseek-coder"],
            expressions: deepSeekCoder(visibleIdeographs),
            origins: [PreTokenizerStep.isolating(deepSeekCoder(ideographs))]),
        .init(
            names: ["deepseek-llm"],
            expressions: deepSeekLLM(visibleIdeographs, #"\u3001"#, digits: #"\p{N}+"#),
            origins: [#"\p{N}"#, #"\p{N}+"#].map { digits in
                PreTokenizerStep.isolating(
                    deepSeekLLM(ideographs, #"\u3000"#, digits: digits))
            }),
    ]

    private static func deepSeekLLM(
        _ ideographs: String, _ punctuationStart: String, digits: String
    ) -> [String] {
        let punctuation =
            #"!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\#(punctuationStart)-\u3002"#
        return [
            #"[\r\n]"#, #"\s?[\#(casedLetters)]+"#, #"\s?[\#(punctuation)]+"#, #"\s+$"#,
            ideographs, digits,
        ]
    }

    /// Letters with case of Unicode 11, but a few.
    private static let casedLetters =
        #"A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚ"#
        + #"Ḁ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼ"#
        + #"ℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ"#
        + #"ﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"#

    // MARK: Words that change case

    private static let upper = #"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"#
    private static let lower = #"\p{Ll}\p{Lm}\p{Lo}\p{M}"#

    /// Words that change from upper to lower case once, as the tokenizers have them.
    private static func mixedCase(_ contraction: String, without excluded: String = "") -> String {
        #"[^\r\n\p{L}\p{N}]?[\#(upper)\#(excluded)]*[\#(lower)\#(excluded)]+\#(contraction)|"#
            + #"[^\r\n\p{L}\p{N}]?[\#(upper)\#(excluded)]+[\#(lower)\#(excluded)]*\#(contraction)"#
    }

    /// The same in llama.cpp, which knows the case of ASCII only.
    private static func asciiCase(_ contraction: String, kind: String = #"\p{L}"#) -> String {
        let (notLower, notUpper) = ("((?=[\(kind)])([^a-z]))", "((?=[\(kind)])([^A-Z]))")
        return #"[^\r\n\p{L}\p{N}]?\#(notLower)*\#(notUpper)+\#(contraction)|"#
            + #"[^\r\n\p{L}\p{N}]?\#(notLower)+\#(notUpper)*\#(contraction)"#
    }

    /// And where llama.cpp takes all letters for one kind.
    private static let anyCase = #"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+\#(contractions)?"#

    private static let numbersInThrees = #"\p{N}{1,3}|\#(symbolsAndSlashes)|\#(ends)"#
    private static let numbersAlone = #"\p{N}|\#(symbolsAndSlashes)|\#(ends)"#
    private static let gpt4o = "\(mixedCase("\(contractions)?"))|\(numbersInThrees)"

    /// Digits in threes from the right. llama.cpp leaves what precedes them with the first.
    private static let groupedDigits = #"\P{N}*\p{N}{1,3}(?=(?:\p{N}{3})*+(?!\p{N}))"#
    private static let youtuScripts =
        #"[\uAC00-\uD7A3\u3131-\u318E]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|\#(hanAndKana)"#

    private static let mixedCase: [GGUFPreTokenizer] = [
        .init(
            names: ["tekken"], expressions: ["\(asciiCase(""))|\(numbersAlone)"],
            origins: [PreTokenizerStep.isolating(["\(mixedCase(""))|\(numbersAlone)"])],
            ignoresMerges: true, addsBOS: true),
        .init(
            names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
            expressions: ["\(asciiCase("\(contractions)?"))|\(numbersInThrees)"],
            origins: [PreTokenizerStep.isolating([gpt4o])]),
        .init(
            names: ["granite-embed-multi-97m"],
            expressions: [
                "\(asciiCase("\(contractions)?", kind: #"\p{L}\p{M}"#))|\(numbersInThrees)"
            ], origins: [PreTokenizerStep.isolating([gpt4o])], ignoresMerges: true),
        .init(
            names: ["tiny_aya", "cohere2moe"],
            expressions: [groupedDigits, "\(anyCase)|\(numbersInThrees)"],
            origins: [PreTokenizerStep.isolating([#"\d{1,3}(?=(?:\d{3})*\b)"#, gpt4o])]),
        .init(
            names: ["youtu"], expressions: [youtuScripts, "\(anyCase)|\(numbersAlone)"],
            origins: [
                PreTokenizerStep.isolating([
                    youtuScripts, "\(mixedCase("\(contractions)?"))|\(numbersAlone)",
                ])
            ], ignoresMerges: true),
        .init(
            names: ["kimi-k2"],
            expressions: [
                #"[\#(han)]+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^\#(han)]]+\#(contractions)?|"#
                    + #"\p{N}{1,3}|\#(symbols)|\#(ends)"#
            ],
            origins: [
                PreTokenizerStep.isolating([
                    #"[\p{Han}]+|\#(mixedCase("\(contractions)?", without: #"&&[^\p{Han}]"#))|"#
                        + #"\p{N}{1,3}|\#(symbols)|\#(ends)"#
                ])
            ]),
    ]

    /// What llama.cpp takes for Chinese characters.
    private static let han =
        #"\u4E00-\u9FFF\u3400-\u4DBF\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}"#
        + #"\x{2B820}-\x{2CEAF}\x{2CEB0}-\x{2EBEF}\uF900-\uFAFF\x{2F800}-\x{2FA1F}"#

    // MARK: Others

    private static let bloom = #" ?[^(\s|.,!?…。，、।۔،)]+"#
    private static let imageTokens = "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"

    private static func asianScripts(compatibilityStart: String) -> String {
        #"[\u4E00-\u9FFF\u3400-\u4DBF\#(compatibilityStart)-\uFAFF\u3040-\u309F\u30A0-\u30FF"#
            + #"\uFF65-\uFF9F\u2F00-\u2FDF\u0E40-\u0E7F\u0E80-\u0EFF\u1780-\u17FF\u1000-\u109F"#
            + #"\uAA60-\uAA7F\uA9E0-\uA9FF\uAC00-\uD7AF\u1100-\u11FF]+"#
    }

    private static let others: [GGUFPreTokenizer] = [
        .init(
            names: ["falcon"], expressions: [#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"],
            origins: [
                [
                    .punctuation(.contiguous),
                    .byteLevel(addsPrefixSpace: false, usesExpression: true),
                    .digits(individual: false),
                    .split(.expression("[0-9][0-9][0-9]"), .isolated, isInverted: false),
                ]
            ]),
        .init(names: ["bloom", "poro-chat", "gpt3-finnish"], expressions: [bloom]),
        .init(names: ["viking"], expressions: [bloom, #"\p{N}"#]),
        .init(
            names: ["chameleon"],
            expressions: [
                "<sentinel:[0-9]+>", imageTokens, #"([\t\n]|    |  )"#, #"\p{N}"#,
                #"[\p{P}!-/:-@\[-`{-~]"#, gpt2,
            ], addsBOS: true),
        .init(
            names: ["superbpe"], expressions: [#"\p{N}+"#, "(?=([0-9]{3})+(?![0-9]))"],
            origins: [PreTokenizerStep.isolating([#"\p{N}+"#, #"(?=(\d{3})+(?!\d))"#])]),
        .init(
            names: ["afmoe"],
            // Normalized by accident, llama.cpp's range of compatibility ideographs starts early.
            expressions: [groupedDigits, asianScripts(compatibilityStart: #"\u8C48"#), deepSeek3],
            origins: [
                PreTokenizerStep.isolating([
                    #"\p{N}{1,3}(?=(?:\p{N}{3})*\b)"#,
                    asianScripts(compatibilityStart: #"\uF900"#), deepSeek3,
                ])
            ]),
        // What llama.cpp assumes for files that name none; its engine warns about the quality.
        .init(
            names: ["default"],
            expressions: [#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"]),
    ]
}
