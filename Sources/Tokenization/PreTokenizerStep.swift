/// One step of cutting text into words, named as in `tokenizer.json`.
public enum PreTokenizerStep: Sendable, Hashable {
    case split(Pattern, SplitBehavior, isInverted: Bool)
    /// Numeric characters (general category N), each alone or in runs.
    case digits(individual: Bool)
    /// ASCII punctuation and symbols, and the general category P.
    case punctuation(SplitBehavior)
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

    /// The characters of `Punctuation`: those that ASCII calls punctuation and Unicode a symbol,
    /// and P.
    static let punctuationExpression = #"[\p{P}$+<=>^`|~]"#
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

extension PreTokenizerStep {
    /// The steps as a list of expressions whose matches are isolated one after the other, or nil
    /// where they do something else. Two tokenizers with one list cut every text alike, however
    /// they are written, and llama.cpp's pre-tokenizers are such lists.
    static func isolatedExpressions(_ steps: [PreTokenizerStep]) -> [String]? {
        guard case .byteLevel(addsPrefixSpace: false, _) = steps.last else { return nil }
        var expressions: [String] = []
        for (index, step) in steps.enumerated() {
            switch step {
            case .split(.expression(let expression), .isolated, isInverted: false):
                expressions.append(expression)
            // To throw away what does not match is to isolate what does where everything matches,
            // and an expression that ends in these alternatives leaves nothing out.
            case .split(.expression(let expression), .removed, isInverted: true)
            where expression.hasSuffix(#"|\s+(?!\S)|\s+"#)
                && expression.contains(#"[^\s\p{L}\p{N}]+"#)
                && expression.contains(#"\p{L}+"#) && expression.contains(#"\p{N}"#):
                expressions.append(expression)
            case .digits(let individual):
                expressions.append(individual ? #"\p{N}"# : #"\p{N}+"#)
            case .byteLevel(addsPrefixSpace: false, let usesExpression):
                guard index == steps.count - 1 else { return nil }
                if usesExpression { expressions.append(gpt2Expression) }
            case .split, .punctuation, .byteLevel:
                return nil
            }
        }
        return expressions
    }

    /// The plain steps that isolate `expressions` one after the other.
    static func isolating(_ expressions: [String]) -> [PreTokenizerStep] {
        var steps: [PreTokenizerStep] = []
        for expression in expressions.dropLast() {
            switch expression {
            case #"\p{N}"#: steps.append(.digits(individual: true))
            case #"\p{N}+"#: steps.append(.digits(individual: false))
            default: steps.append(.split(.expression(expression), .isolated, isInverted: false))
            }
        }
        if expressions.last == gpt2Expression {
            return steps + [.byteLevel(addsPrefixSpace: false, usesExpression: true)]
        }
        if let last = expressions.last {
            steps.append(.split(.expression(last), .isolated, isInverted: false))
        }
        return steps + [.byteLevel(addsPrefixSpace: false, usesExpression: false)]
    }
}
