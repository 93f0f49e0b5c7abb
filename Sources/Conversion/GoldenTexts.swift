/// Texts that tell tokenizers apart: what they normalize, where they cut, what they merge.
///
/// Short, for every conversion encodes all of them.
enum GoldenTexts {
    static let all = words + numbers + spaces + scripts + symbols + code

    private static let words = [
        "", "a", "Hello, world!", "The quick brown fox jumps over the lazy dog.",
        "don't DON'T we'll WE'LL I've I'Ve she'd it's IT'S you're 'tis", "naïve café ÉCOLE École",
        "antidisestablishmentarianism", "camelCaseWord SnakeCASE XMLHttpRequest iPhone",
        "hello\u{301} e\u{301} \u{E9} a\u{323}\u{308} \u{1E69} \u{FB01} \u{212B}",
        String(repeating: "abcdefgh", count: 40),
    ]

    private static let numbers = [
        "0 1 12 123 1234 12345 123456 1234567", " 3.14159 -2,718 1e-9 0x1F", "x1y22z333",
        "٣٤٥ १२३४ 一二三 Ⅷ ²³ ½ ①", "2024-02-29T12:34:56Z 192.168.0.1",
    ]

    private static let spaces = [
        " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "  x  ", "a  b   c    d",
        "\t\tindented\n\t\tagain\n\n\nend\n", "trailing   ", "line\r\nline\r\n\r\nline",
        "\u{A0}no\u{A0}break \u{3000}wide\u{2003}em \u{2028}line\u{85}next\u{B}\u{C}",
    ]

    private static let scripts = [
        "Привет, мир! ДаНет", "Γειά σου Κόσμε ΑΒΓαβγ", "مرحبا بالعالم،", "שלום עולם",
        "नमस्ते दुनिया हिन्दी", "สวัสดีชาวโลก ภาษาไทย", "你好，世界。中文分词！", "こんにちは世界カタカナー々",
        "안녕하세요 세계 ㄱㄴ", "ខ្មែរ မြန်မာ ລາວ", "ǅ ʰ ß ẞ ſ İ ı K", "Mixed 漢字 and Latin и Кириллица",
    ]

    private static let symbols = [
        "!?.,;:'\"()[]{}<>@#$%^&*-_=+\\|/~`", "... --- !!! ??? ***",
        "“quoted” ‘single’ «guillemets»",
        "€100 £5 ¥7 © ® ™ → ∑ √", "🦙 😀😃 👩‍👩‍👧 🏳️‍🌈 👍🏽 🇩🇪", "\u{0}\u{7F}\u{200B}\u{200D}\u{AD}\u{FEFF}",
        "\u{E000}\u{F8FF}\u{10FFFD}\u{FFFD}", "▁under▁score Ġspace Ċline <0x0A> ##ing",
    ]

    private static let code = [
        "def f(x):\n    return x + 1  # comment\n", "if (a && b) { c[i++] = *p->q; } // done\n",
        "<html><body class=\"x\">&amp;</body></html>", "https://example.org/a/b?c=d&e=f#g",
        "{\"key\": [1, 2.5, null, true]}", "SELECT * FROM t WHERE a='b';",
    ]
}
