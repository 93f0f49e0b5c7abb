/// A tokenizer as data: everything that a file says about how text becomes token ids and back.
///
/// Every dialect is read into this and written from it; `Tokenizer` runs it. Nothing here is
/// guessed: what a file asks for and this package does not know is a `ModelError` naming it.
public struct TokenizerDefinition: Sendable, Hashable {
    public var model: TokenizerModelKind
    /// The spelling of each token in the file, by id. Byte-level vocabularies spell bytes as
    /// `ByteAlphabet` does; added tokens are spelled as they stand in text.
    public var tokens: [String]
    /// By id, as many as `tokens`.
    public var types: [TokenType]
    /// Which two neighbours become one token, most urgent first.
    public var merges: [Merge]
    /// Added tokens that a Unigram or a WordPiece does not know itself, so that they are only found
    /// as added tokens.
    public var outsideModel: Set<Int32>
    /// By id, as many as `tokens`, or none. Of a Unigram the logarithms of probabilities; of a BPE
    /// without `merges` how urgent it is to merge two neighbours to the token.
    public var scores: [Double]
    /// Tokens that are found in the text before it is cut into words, by ascending id.
    public var addedTokens: [AddedToken]
    /// What is done to the text between non-normalized added tokens, in order.
    public var normalizers: [Normalizer]
    /// How text is cut into words, in order.
    public var preTokenizer: [PreTokenizerStep]
    /// Whether a word that is a token is that token, even where the merges would not lead there.
    public var ignoresMerges: Bool
    /// What stands for text that is no token; without one a BPE drops such text.
    public var unknownToken: Int32?
    /// Whether unknown characters in a row give one `unknownToken`.
    public var fusesUnknown: Bool
    /// Whether characters that are no tokens become tokens such as `<0x0A>`, one for each byte.
    public var usesByteFallback: Bool
    /// How a WordPiece spells tokens that do not start a word.
    public var continuationPrefix: String
    /// Longer words are unknown to a WordPiece, in characters.
    public var maximumWordLength: Int
    /// How tokens become text, in order.
    public var decoder: [DecoderStep]
    /// What encoding puts before a text when special tokens are asked for.
    public var prefix: [Int32]
    /// What encoding puts after a text when special tokens are asked for.
    public var suffix: [Int32]
    /// The tokens that have a part to play, by part. They need not be in `prefix` or `suffix`.
    public var specialTokens: [SpecialTokenRole: Int32]
    /// Jinja templates that turn a conversation into text; the one named `default` first.
    public var chatTemplates: [ChatTemplate]

    /// A byte-level BPE without special tokens and templates; the rest is set afterwards.
    public init(
        tokens: [String], merges: [Merge], preTokenizer: [PreTokenizerStep],
        ignoresMerges: Bool = false
    ) {
        self.init(.byteLevelBPE, tokens: tokens)
        self.merges = merges
        self.preTokenizer = preTokenizer
        self.ignoresMerges = ignoresMerges
        decoder = [.byteLevel]
    }

    /// A tokenizer that knows its tokens and nothing else; the rest is set afterwards.
    public init(_ model: TokenizerModelKind, tokens: [String]) {
        self.model = model
        self.tokens = tokens
        types = Array(repeating: .normal, count: tokens.count)
        outsideModel = []
        merges = []
        scores = []
        addedTokens = []
        normalizers = []
        preTokenizer = []
        ignoresMerges = false
        unknownToken = nil
        fusesUnknown = false
        usesByteFallback = false
        continuationPrefix = "##"
        maximumWordLength = 100
        decoder = []
        prefix = []
        suffix = []
        specialTokens = [:]
        chatTemplates = []
    }

    /// Whether an encoded text starts with the beginning-of-sequence token.
    public var addsBOS: Bool { prefix.first != nil && prefix.first == specialTokens[.beginning] }

    /// Whether an encoded text ends with the end-of-sequence token.
    public var addsEOS: Bool { suffix.last != nil && suffix.last == specialTokens[.end] }
}

/// How words become tokens.
public enum TokenizerModelKind: String, Sendable, Hashable, CaseIterable {
    /// Byte pair encoding over bytes (Sennrich et al. 2016; Radford et al. 2019).
    case byteLevelBPE
    /// Byte pair encoding over characters, as SentencePiece has it (Kudo and Richardson 2018).
    case characterBPE
    /// The most probable tokens of a unigram language model (Kudo 2018).
    case unigram
    /// The longest token that a word starts with, then the longest of the rest (Wu et al. 2016).
    case wordPiece
}

/// What a token is. Raw values are GGUF's `tokenizer.ggml.token_type`.
public enum TokenType: Int32, Sendable, Hashable {
    case normal = 1
    case unknown = 2
    /// Steers the model and is no text: beginning of sequence, end of turn.
    case control = 3
    /// Added to the vocabulary, and text.
    case userDefined = 4
    /// Fills a hole in the vocabulary.
    case unused = 5
    case byte = 6
}

/// Two neighbouring tokens that become one.
public struct Merge: Sendable, Hashable {
    public let left: String
    public let right: String

    public init(_ left: String, _ right: String) { (self.left, self.right) = (left, right) }

    /// Reads `left right`, the form of GGUF and of older `tokenizer.json`; nil without a space.
    ///
    /// The search starts at the second character, for a token may be a space itself.
    init?(joined: String) {
        var joined = joined
        let parts = joined.withUTF8 { bytes -> (String, String)? in
            let separator = UInt8(ascii: " ")
            guard let space = bytes.dropFirst().firstIndex(of: separator) else { return nil }
            func text(_ part: Slice<UnsafeBufferPointer<UInt8>>) -> String {
                String(decoding: UnsafeBufferPointer(rebasing: part), as: UTF8.self)
            }
            return (text(bytes[..<space]), text(bytes[(space + 1)...]))
        }
        guard let (left, right) = parts else { return nil }
        self.init(left, right)
    }
}

/// A token that is looked for in the text itself.
public struct AddedToken: Sendable, Hashable {
    public var content: String
    public var id: Int32
    /// Whether it is left out when text is decoded without special tokens, and text when special
    /// tokens are not parsed.
    public var isSpecial: Bool
    /// Whether it is looked for after normalization instead of before.
    public var isNormalized: Bool
    /// Whether it takes white space before it along.
    public var stripsLeft: Bool
    /// Whether it takes white space after it along.
    public var stripsRight: Bool
    /// Whether it counts only where no letter or digit touches it.
    public var isSingleWord: Bool

    public init(
        _ content: String, id: Int32, isSpecial: Bool, isNormalized: Bool = false,
        stripsLeft: Bool = false, stripsRight: Bool = false, isSingleWord: Bool = false
    ) {
        self.content = content
        self.id = id
        self.isSpecial = isSpecial
        self.isNormalized = isNormalized
        self.stripsLeft = stripsLeft
        self.stripsRight = stripsRight
        self.isSingleWord = isSingleWord
    }
}

/// The part that a special token plays. Raw values are those of `tokenizer_config.json`.
public enum SpecialTokenRole: String, Sendable, Hashable, CaseIterable {
    case beginning = "bos"
    case end = "eos"
    case unknown = "unk"
    case separator = "sep"
    case padding = "pad"
    case classification = "cls"
    case mask = "mask"
}

/// A named Jinja template.
public struct ChatTemplate: Sendable, Hashable {
    public static let defaultName = "default"

    public let name: String
    public let text: String

    public init(name: String = ChatTemplate.defaultName, text: String) {
        (self.name, self.text) = (name, text)
    }
}
