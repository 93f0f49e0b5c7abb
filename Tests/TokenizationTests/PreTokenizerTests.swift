import TensorIR
import Testing

@testable import Tokenization

@Suite struct PreTokenizerTests {
    /// As the `tokenizers` library documents them, on the text of its own example.
    @Test(arguments: [
        (SplitBehavior.removed, ["the", "final", "countdown"]),
        (.isolated, ["the", "-", "final", "-", "-", "countdown"]),
        (.mergedWithPrevious, ["the-", "final-", "-", "countdown"]),
        (.mergedWithNext, ["the", "-final", "-", "-countdown"]),
        (.contiguous, ["the", "-", "final", "--", "countdown"]),
    ])
    func splitsByBehavior(behavior: SplitBehavior, expected: [String]) throws {
        let step = PreTokenizerStep.split(.literal("-"), behavior, isInverted: false)
        #expect(try cuts("the-final--countdown", [step]) == expected)
    }

    @Test func invertedSplitKeepsWhatMatches() throws {
        let step = PreTokenizerStep.split(.expression("[a-z]+"), .removed, isInverted: true)
        #expect(try cuts("ab--cd", [step]) == ["ab", "cd"])
    }

    @Test(arguments: [(true, ["a", "1", "2", "b"]), (false, ["a", "12", "b"])])
    func splitsDigits(individual: Bool, expected: [String]) throws {
        #expect(try cuts("a12b", [.digits(individual: individual)]) == expected)
    }

    @Test func emptyMatchesCutBetweenCharacters() throws {
        let step = PreTokenizerStep.split(
            .expression(#"(?=(\d{3})+(?!\d))"#), .isolated, isInverted: false)
        #expect(try cuts("1234567", [step]) == ["1", "234", "567"])
    }

    /// A dollar stands for the end of a line, as in Oniguruma, and `\h` for a hexadecimal digit.
    @Test(arguments: [
        (#"\s+$"#, "a \nb ", ["a", " ", "\nb", " "]),
        (#"\h+"#, "xbeefz", ["x", "beef", "z"]),
        (#"\s"#, "a\u{180E}b c", ["a\u{180E}b", " ", "c"]),
        (#"[^\s]+"#, "a\u{180E}b\u{3000}", ["a\u{180E}b", "\u{3000}"]),
        (#"[[:digit:]x]+"#, "a12xb", ["a", "12x", "b"]),
    ])
    func readsExpressionsAsOniguruma(
        expression: String, text: String, expected: [String]
    ) throws {
        let step = PreTokenizerStep.split(.expression(expression), .isolated, isInverted: false)
        #expect(try cuts(text, [step]) == expected)
    }

    @Test(arguments: ["[a[b]]", #"[\p{L}&&[^\p{Han}]]"#, "(", "a\\", ""])
    func refusesExpressionsItCannotRead(expression: String) {
        #expect(throws: ModelError.self) { try RegularExpression(expression) }
    }

    /// The same words whether the steps are written as `Digits` and `ByteLevel` or as two splits.
    @Test func oneListOfExpressionsIsOneName() {
        let written: [PreTokenizerStep] = [
            .split(.expression(#"\p{N}"#), .isolated, isInverted: false),
            .split(.expression(PreTokenizerStep.gpt2Expression), .isolated, isInverted: false),
            .byteLevel(addsPrefixSpace: false, usesExpression: false),
        ]
        let expressions = PreTokenizerStep.isolatedExpressions(written)
        #expect(expressions == [#"\p{N}"#, PreTokenizerStep.gpt2Expression])
        let named = GGUFPreTokenizer.matching(expressions ?? [], ignoresMerges: false)
        #expect(named?.names.first == "smollm")
    }

    @Test func everyNamedPreTokenizerCompilesAndHasOneMeaning() throws {
        let names = GGUFPreTokenizer.all.flatMap(\.names)
        #expect(Set(names).count == names.count)
        for entry in GGUFPreTokenizer.all {
            #expect(PreTokenizerStep.isolatedExpressions(entry.steps) == entry.expressions)
            _ = try Tokenizer(smallDefinition(entry.steps))
        }
    }

    /// The pieces that a text is cut into, found through tokens of single bytes.
    private func cuts(_ text: String, _ steps: [PreTokenizerStep]) throws -> [String] {
        let bytes = ByteAlphabet.scalars.map { String(Character($0)) }
        var definition = TokenizerDefinition(
            tokens: bytes, merges: [],
            preTokenizer: steps + [.byteLevel(addsPrefixSpace: false, usesExpression: false)],
            ignoresMerges: true)
        // Every run of bytes of the text is a word of its own, so each piece becomes one token.
        let utf8 = Array(text.utf8)
        var words: Set<[UInt8]> = []
        for start in utf8.indices {
            for end in start + 1...utf8.count where end > start + 1 {
                words.insert(Array(utf8[start..<end]))
            }
        }
        for word in words {
            definition.tokens.append(
                String(String.UnicodeScalarView(word.map { ByteAlphabet.scalars[Int($0)] })))
            definition.types.append(.normal)
        }
        return try Tokenizer(definition).words(text)
    }
}
