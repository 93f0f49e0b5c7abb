/// One search through a text, and what becomes of what it finds.
struct PreTokenizerSplit: Sendable, Hashable {
    let pattern: PreTokenizerStep.Pattern
    let behavior: SplitBehavior
    let isInverted: Bool

    init(
        _ expression: String, _ behavior: SplitBehavior = .isolated, isInverted: Bool = false
    ) {
        self.init(.expression(expression), behavior, isInverted: isInverted)
    }

    init(_ pattern: PreTokenizerStep.Pattern, _ behavior: SplitBehavior, isInverted: Bool) {
        (self.pattern, self.behavior, self.isInverted) = (pattern, behavior, isInverted)
    }
}

extension PreTokenizerStep {
    /// The step as searches one after the other. What bytes are spelled as is not part of them.
    var splits: [PreTokenizerSplit] {
        switch self {
        case .split(let pattern, let behavior, let isInverted):
            [PreTokenizerSplit(pattern, behavior, isInverted: isInverted)]
        case .digits(let individual):
            [PreTokenizerSplit(#"\p{N}"#, individual ? .isolated : .contiguous)]
        case .punctuation(let behavior):
            [PreTokenizerSplit(PreTokenizerStep.punctuation, behavior)]
        case .whitespace:
            // The library runs this one with an engine for which joiners belong to words.
            [
                PreTokenizerSplit(
                    #"[\w\u200C\u200D]+|[^\w\s\u200C\u200D]+"#, .removed, isInverted: true)
            ]
        case .whitespaceSplit: [PreTokenizerSplit(#"\s"#, .removed)]
        case .bert:
            [
                PreTokenizerSplit(#"\s"#, .removed),
                PreTokenizerSplit(PreTokenizerStep.punctuation, .isolated),
            ]
        case .charDelimiterSplit(let scalar):
            [PreTokenizerSplit(.literal(String(Character(scalar))), .removed, isInverted: false)]
        case .unicodeScripts:
            // White space before the first script belongs to nothing and is dropped.
            [PreTokenizerSplit(PreTokenizerStep.scriptRuns, .removed, isInverted: true)]
        case .fixedLength(let length): [PreTokenizerSplit("(?m:.{1,\(length)})")]
        case .byteLevel(_, usesExpression: true):
            [PreTokenizerSplit(PreTokenizerStep.gpt2Expression)]
        case .byteLevel(_, usesExpression: false), .metaspace: []
        }
    }

    /// What ASCII calls punctuation and Unicode a symbol, and the general category P.
    private static let punctuation = #"[\p{P}$+<=>^`|~]"#

    /// The runs of `UnicodeScripts`. Spaces, and characters that have no script yet, join in.
    private static let scriptRuns: String = {
        let joining = #" \p{Unknown}"#
        let han = #"\p{Han}\p{Hiragana}\p{Katakana}\u30FC"#
        let others = scripts.split(separator: " ").map { #"\p{\#($0)}"# }
        // The long mark of Kana counts as Han, though its script is Common.
        let common = #"\p{Common}&&[^ \u30FC]"#
        let sets = [("[\(han)]", "[\(han)\(joining)]"), ("[\(common)]", "[[\(common)]\(joining)]")]
        let runs = sets + others.map { ("[\($0)]", "[\($0)\(joining)]") }
        return runs.map { "\($0)\($1)*" }.joined(separator: "|")
    }()

    /// The scripts of Unicode 14 but those above.
    private static let scripts = """
        Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi \
        Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian \
        Hangul Ethiopic Cherokee Canadian_Aboriginal Ogham Runic Khmer Mongolian Bopomofo Yi \
        Old_Italic Gothic Deseret Inherited Tagalog Hanunoo Buhid Tagbanwa Limbu Tai_Le Linear_B \
        Ugaritic Shavian Osmanya Cypriot Braille Buginese Coptic New_Tai_Lue Glagolitic Tifinagh \
        Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese \
        Lepcha Ol_Chiki Vai Saurashtra Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet \
        Avestan Egyptian_Hieroglyphs Samaritan Lisu Bamum Javanese Meetei_Mayek Imperial_Aramaic \
        Old_South_Arabian Inscriptional_Parthian Inscriptional_Pahlavi Old_Turkic Kaithi Batak \
        Brahmi Mandaic Chakma Meroitic_Cursive Meroitic_Hieroglyphs Miao Sharada Sora_Sompeng Takri \
        Caucasian_Albanian Bassa_Vah Duployan Elbasan Grantha Pahawh_Hmong Khojki Linear_A Mahajani \
        Manichaean Mende_Kikakui Modi Mro Old_North_Arabian Nabataean Palmyrene Pau_Cin_Hau \
        Old_Permic Psalter_Pahlavi Siddham Khudawadi Tirhuta Warang_Citi Ahom Anatolian_Hieroglyphs \
        Hatran Multani Old_Hungarian SignWriting Adlam Bhaiksuki Marchen Newa Osage Tangut \
        Masaram_Gondi Nushu Soyombo Zanabazar_Square Dogra Gunjala_Gondi Makasar Medefaidrin \
        Hanifi_Rohingya Sogdian Old_Sogdian Elymaic Nandinagari Nyiakeng_Puachue_Hmong Wancho \
        Chorasmian Dives_Akuru Khitan_Small_Script Yezidi Cypro_Minoan Old_Uyghur Tangsa Toto \
        Vithkuqi
        """
}
