import ByteIO
import TensorIR
import TestSupport
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
        #expect(try pieces(of: "the-final--countdown", [step]) == expected)
    }

    @Test func invertedSplitKeepsWhatMatches() throws {
        let step = PreTokenizerStep.split(.expression("[a-z]+"), .removed, isInverted: true)
        #expect(try pieces(of: "ab--cd", [step]) == ["ab", "cd"])
    }

    @Test(arguments: [(true, ["a", "1", "2", "b"]), (false, ["a", "12", "b"])])
    func splitsDigits(individual: Bool, expected: [String]) throws {
        #expect(try pieces(of: "a12b", [.digits(individual: individual)]) == expected)
    }

    @Test func emptyMatchesCutBetweenCharacters() throws {
        let step = PreTokenizerStep.split(
            .expression(#"(?=(\d{3})+(?!\d))"#), .isolated, isInverted: false)
        #expect(try pieces(of: "1234567", [step]) == ["1", "234", "567"])
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
        #expect(try pieces(of: text, [step]) == expected)
    }

    /// Each kind of step with its options, as the `tokenizers` library cuts.
    @Test func cutsAsTheTokenizersLibrary() throws {
        for vector in try vectors("pre-tokenizers") {
            let json = try #require(vector["pre_tokenizer"])
            let steps = try PreTokenizerStep.steps(json)
            #expect(try PreTokenizerStep.steps(PreTokenizerStep.json(steps)) == steps)
            for example in vector["cases"]?.array ?? [] {
                let text = try #require(example["text"]?.string)
                let expected = example["pieces"]?.array?.compactMap(\.string)
                #expect(try pieces(of: text, steps) == expected, "\(json.text()) on '\(text)'")
            }
        }
    }

    private func vectors(_ name: String) throws -> [JSON] {
        let path = "\(Repository.root)/Tests/TokenizationTests/Vectors/\(name).json"
        return try JSON(parsing: MappedFile.contents(ofFile: path), subject: path).array ?? []
    }

    /// What the `tokenizers` library cuts texts of all scripts into, by expressions of all kinds.
    @Test func cutsAsOniguruma() throws {
        for vector in try vectors("expressions") {
            let expression = try #require(vector["expression"]?.string)
            let step = PreTokenizerStep.split(.expression(expression), .isolated, isInverted: false)
            for cut in vector["pieces"]?.array ?? [] {
                let expected = cut.array?.compactMap(\.string) ?? []
                #expect(try pieces(of: expected.joined(), [step]) == expected, "\(expression)")
            }
        }
    }

    @Test(arguments: [
        "(", ")", "a\\", "", "[a", "*", #"(a)\1"#, #"\G"#, #"\X"#, #"\K"#, "(?x)a", "(?~a)",
        "[b-a]",
        "a{2,1}", "a{1}+", #"\xff"#, #"\uD800"#, #"\p{Nonsense}"#, "(?<=a+)b",
        String(repeating: "(", count: 1000) + String(repeating: ")", count: 1000),
    ])
    func refusesExpressionsItCannotRead(expression: String) {
        #expect(throws: ModelError.self) { try RegularExpression(expression) }
    }

    /// The pieces that a text is cut into.
    private func pieces(of text: String, _ steps: [PreTokenizerStep]) throws -> [String] {
        let cutter = try TextCutter(CuttingStep.compiled(steps))
        var pieces: [String] = []
        try Array(text.utf8).withUnsafeBufferPointer { bytes in
            try cutter.cut(bytes, isAtStart: true) { word, _ in
                pieces.append(String(decoding: word, as: UTF8.self))
            }
        }
        return pieces
    }
}
