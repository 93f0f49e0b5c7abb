/// A change of the text before it is cut into words, named as in `tokenizer.json`.
public enum Normalizer: Sendable, Hashable {
    /// One of Unicode's normalization forms (Unicode Standard Annex 15).
    case form(NormalizationForm)
    /// SentencePiece's clean-up: control characters go, other white space becomes a space.
    case nmt
    case lowercase
    /// Takes combining marks (general category M) away.
    case stripAccents
    /// Takes white space away at the ends.
    case strip(left: Bool, right: Bool)
    /// Puts a text before every text that is not empty.
    case prepend(String)
    case replace(PreTokenizerStep.Pattern, with: String)
    case bert(BertNormalization)
    /// SentencePiece's table of replacements.
    case precompiled(CharacterMap)

    public static let nfc = Normalizer.form(.nfc)
}

/// Unicode's normalization forms.
public enum NormalizationForm: String, Sendable, Hashable, CaseIterable {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"

    var isComposed: Bool { self == .nfc || self == .nfkc }
    var isCompatible: Bool { self == .nfkc || self == .nfkd }
}

/// What BERT does to a text (Devlin et al. 2018).
public struct BertNormalization: Sendable, Hashable {
    /// Control characters go, white space becomes a space.
    public var cleansText: Bool
    /// Each ideograph becomes a word of its own.
    public var separatesIdeographs: Bool
    /// Whether combining marks go; nil where they do if letters become small.
    public var stripsAccents: Bool?
    public var lowercases: Bool

    public init(
        cleansText: Bool = true, separatesIdeographs: Bool = true, stripsAccents: Bool? = nil,
        lowercases: Bool = true
    ) {
        self.cleansText = cleansText
        self.separatesIdeographs = separatesIdeographs
        self.stripsAccents = stripsAccents
        self.lowercases = lowercases
    }
}
