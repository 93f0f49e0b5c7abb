/// The names of character classes and Unicode properties in expressions.
enum UnicodePropertyName {
    /// What a name stands for, in either way to write it: `\p{Name}` or `[:name:]`.
    ///
    /// As in Oniguruma, `[:punct:]` has the symbols too, and neither case nor spaces, hyphens and underscores count. A name that is none
    /// of those below is taken for a script's; the engine refuses what is none.
    static func member(
        named name: String, isNegated: Bool, isBracketed: Bool = false
    ) throws(OnigurumaFault) -> OnigurumaSet.Member {
        let plain = name.filter { $0 != " " && $0 != "-" && $0 != "_" }.lowercased()
        guard !plain.isEmpty, plain.utf8.allSatisfy({ (0x30...0x7A).contains($0) }) else {
            throw OnigurumaFault("the property '\(name)' is not known")
        }
        if isBracketed, plain == "punct" {
            return .set(OnigurumaSet([binary("P"), binary("S")], isNegated: isNegated))
        }
        if let category = categories[plain] { return .property(category, isNegated: isNegated) }
        if let members = classes[plain] {
            guard members.count == 1 else {
                return .set(OnigurumaSet(members, isNegated: isNegated))
            }
            switch members[0] {
            case .space: return .space(isNegated: isNegated)
            case .word: return .word(isNegated: isNegated)
            case .property(let property, _): return .property(property, isNegated: isNegated)
            case let other: return .set(OnigurumaSet([other], isNegated: isNegated))
            }
        }
        return .property("sc:\(plain)", isNegated: isNegated)
    }

    /// General categories, short and long (Unicode Standard Annex 44, table 12).
    private static let categories: [String: String] = {
        let long = [
            "L": "letter", "Lu": "uppercaseletter", "Ll": "lowercaseletter",
            "Lt": "titlecaseletter", "L&": "casedletter", "Lm": "modifierletter",
            "Lo": "otherletter", "M": "mark", "Mn": "nonspacingmark", "Mc": "spacingmark",
            "Me": "enclosingmark", "N": "number", "Nd": "decimalnumber", "Nl": "letternumber",
            "No": "othernumber", "P": "punctuation", "Pc": "connectorpunctuation",
            "Pd": "dashpunctuation", "Ps": "openpunctuation", "Pe": "closepunctuation",
            "Pi": "initialpunctuation", "Pf": "finalpunctuation", "Po": "otherpunctuation",
            "S": "symbol", "Sm": "mathsymbol", "Sc": "currencysymbol", "Sk": "modifiersymbol",
            "So": "othersymbol", "Z": "separator", "Zs": "spaceseparator",
            "Zl": "lineseparator", "Zp": "paragraphseparator", "C": "other", "Cc": "control",
            "Cf": "format", "Co": "privateuse", "Cn": "unassigned",
        ]
        var names = ["lc": "L&", "punct": "P", "digit": "Nd", "cntrl": "Cc"]
        for (short, name) in long {
            names[name] = short
            names[short.lowercased()] = short
        }
        return names
    }()

    private static let classes: [String: [OnigurumaSet.Member]] = [
        "space": [.space(isNegated: false)], "whitespace": [.space(isNegated: false)],
        "word": [.word(isNegated: false)],
        "alpha": [binary("Alphabetic")], "alphabetic": [binary("Alphabetic")],
        "upper": [binary("Uppercase")], "uppercase": [binary("Uppercase")],
        "lower": [binary("Lowercase")], "lowercase": [binary("Lowercase")],
        "alnum": [binary("Alphabetic"), binary("Nd")],
        "blank": [binary("Zs"), .range(0x09...0x09)],
        "xdigit": [.range(0x30...0x39), .range(0x41...0x46), .range(0x61...0x66)],
        "graph": [
            .intersection([
                OnigurumaSet([.space(isNegated: true)]),
                OnigurumaSet([binary("Cc"), binary("Cn"), binary("Cs")], isNegated: true),
            ])
        ],
        "print": [
            .intersection([
                OnigurumaSet([binary("Zs"), .space(isNegated: true)]),
                OnigurumaSet([binary("Cc"), binary("Cn"), binary("Cs")], isNegated: true),
            ])
        ],
        "ascii": [.range(0...0x7F)], "any": [.range(0...0x10FFFF)],
        "emoji": [binary("Emoji")], "emojipresentation": [binary("Emoji_Presentation")],
        "emojimodifier": [binary("Emoji_Modifier")],
        "extendedpictographic": [binary("Extended_Pictographic")],
        "ideographic": [binary("Ideographic")],
        "unifiedideograph": [binary("Unified_Ideograph")],
    ]

    private static func binary(_ name: String) -> OnigurumaSet.Member {
        .property(name, isNegated: false)
    }
}
