/// A regular expression in Oniguruma's syntax, taken apart.
///
/// The `tokenizers` library runs the expressions of a `tokenizer.json` with Oniguruma (in its Ruby
/// dialect). Taken apart they can be written for another engine, and compared by what they mean.
indirect enum OnigurumaExpression: Sendable, Hashable {
    /// One character.
    case set(OnigurumaSet)
    case sequence([OnigurumaExpression])
    /// The first that leads to a match.
    case alternatives([OnigurumaExpression])
    case repetition(OnigurumaExpression, OnigurumaRepetition)
    /// What follows, or precedes, without being part of the match.
    case look(OnigurumaExpression, isBehind: Bool, isNegative: Bool)
    /// No other way through it is tried once there was one.
    case atomic(OnigurumaExpression)
    case place(OnigurumaPlace)
    case letterCase(OnigurumaExpression, isIgnored: Bool)

    /// - Throws: `OnigurumaFault` for what is malformed or not supported.
    init(parsing text: String) throws(OnigurumaFault) {
        var parser = OnigurumaParser(text)
        self = try parser.expression()
    }

    /// The expression that matches `text` itself.
    init(literal text: String) {
        self = .sequence(
            text.unicodeScalars.map { .set(OnigurumaSet([.range($0.value...$0.value)])) })
    }
}

/// Why an expression cannot be used.
struct OnigurumaFault: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

struct OnigurumaRepetition: Sendable, Hashable {
    enum Kind: Sendable { case greedy, lazy, possessive }

    var minimum: Int
    /// Nil for no limit.
    var maximum: Int?
    var kind = Kind.greedy
}

/// A place between characters.
enum OnigurumaPlace: Sendable, Hashable {
    case lineStart, lineEnd, textStart, textEnd, textEndOrLastLineFeed
    case wordBoundary, noWordBoundary
}

/// A set of characters: the union of its members, or all but those.
struct OnigurumaSet: Sendable, Hashable {
    indirect enum Member: Sendable, Hashable {
        /// Code points.
        case range(ClosedRange<UInt32>)
        /// A class or property by its name in PCRE2's spelling.
        case property(String, isNegated: Bool)
        /// White space, as Unicode has it.
        case space(isNegated: Bool)
        /// Letters, marks, decimal digits and connecting punctuation.
        case word(isNegated: Bool)
        case set(OnigurumaSet)
        /// What all of them have in common.
        case intersection([OnigurumaSet])
    }

    var members: [Member]
    var isNegated = false

    init(_ members: [Member], isNegated: Bool = false) {
        (self.members, self.isNegated) = (members, isNegated)
    }

    /// `\w` outside of brackets, where Oniguruma takes six more numbers of Latin-1 along.
    static let bareWord = OnigurumaSet([
        .word(isNegated: false), .range(0xB2...0xB3), .range(0xB9...0xB9), .range(0xBC...0xBE),
    ])

    static let lineFeed = Member.range(0x0A...0x0A)
}
