/// One step of cutting text into words, named as in `tokenizer.json`.
public enum PreTokenizerStep: Sendable, Hashable {
    case split(Pattern, SplitBehavior, isInverted: Bool)
    /// Numeric characters (general category N), each alone or in runs.
    case digits(individual: Bool)
    /// ASCII punctuation and symbols, and the general category P.
    case punctuation(SplitBehavior)
    /// Runs of letters, digits and marks, and runs of what is neither that nor white space.
    case whitespace
    /// What stands between white space.
    case whitespaceSplit
    /// What stands between white space, punctuation each by itself (Devlin et al. 2018).
    case bert
    /// What stands between the places of one character.
    case charDelimiterSplit(Unicode.Scalar)
    /// Runs of one script, spaces with what they follow; Kana count as Han.
    ///
    /// The `tokenizers` library knows the scripts of Unicode 9, and takes characters that came later
    /// for spaces. Here they have their scripts.
    case unicodeScripts
    /// Pieces of so many characters.
    case fixedLength(Int)
    /// Spaces become a character of their own, which may start each text.
    case metaspace(MetaspaceOptions)
    /// From here on text is bytes. `usesExpression`: cut with `gpt2Expression` first.
    case byteLevel(addsPrefixSpace: Bool, usesExpression: Bool)

    /// What a split looks for.
    public enum Pattern: Sendable, Hashable {
        case literal(String)
        /// A regular expression in the syntax of Oniguruma, which the `tokenizers` library uses.
        case expression(String)
    }

    /// The expression of GPT-2 (Radford et al. 2019), built into `ByteLevel`.
    public static let gpt2Expression =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// What `fixedLength` may be asked for: the longest repetition of the engine.
    static let maximumFixedLength = 65_535
}

/// What becomes of the places that a pattern matches, named as in `tokenizer.json`.
public enum SplitBehavior: String, Sendable, Hashable, CaseIterable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    /// Like `isolated`, but matches that touch are one piece.
    case contiguous = "Contiguous"
}
