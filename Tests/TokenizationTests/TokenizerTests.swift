import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import Tokenization

@Suite struct TokenizerTests {
    @Test func mergesTheMostUrgentPairFirst() throws {
        let tokenizer = try Tokenizer(smallDefinition())
        #expect(try tokenizer.words("hello hello") == ["hello", " hello"])
        #expect(try tokenizer.words("helo") == ["he", "l", "o"])
    }

    @Test(arguments: ["", "hello", "naïve 日本 🦙\r\n\t x", "\u{0}\u{7F}"])
    func decodesWhatItEncoded(text: String) throws {
        let tokenizer = try Tokenizer(smallDefinition())
        #expect(tokenizer.decode(try tokenizer.encode(text)) == text)
    }

    @Test func halfACharacterDecodesToAReplacement() throws {
        let tokenizer = try Tokenizer(smallDefinition())
        let ids = try tokenizer.encode("é")
        #expect(ids.count == 2)
        #expect(tokenizer.decode(ids.prefix(1)) == "\u{FFFD}")
        #expect(tokenizer.decodeBytes(ids.prefix(1)) == [0xC3])
        #expect(tokenizer.decodeBytes([-1, 1 << 30]) == [])
    }

    @Test func specialTokensInTextCountOnlyWhereWanted() throws {
        let tokenizer = try Tokenizer(smallDefinition().adding("<s>"))
        #expect(try tokenizer.words("a<s>b") == ["a", "<s>", "b"])
        #expect(try tokenizer.words("a<s>b", parseSpecial: false) == ["a", "<", "s", ">", "b"])
        #expect(tokenizer.decode(try tokenizer.encode("a<s>b"), skipSpecial: true) == "ab")
    }

    @Test func theLongestAddedTokenWins() throws {
        let tokenizer = try Tokenizer(smallDefinition().adding("<x>").adding("<x><x>"))
        #expect(try tokenizer.words("<x><x><x>") == ["<x><x>", "<x>"])
    }

    @Test func addedTokensTakeSpaceAlong() throws {
        let definition = smallDefinition().adding("<m>") {
            ($0.stripsLeft, $0.stripsRight) = (true, true)
        }
        #expect(try Tokenizer(definition).words("a \t<m> \nb") == ["a", "<m>", "b"])
    }

    @Test func singleWordsDoNotMatchInsideWords() throws {
        let tokenizer = try Tokenizer(smallDefinition().adding("ab") { $0.isSingleWord = true })
        #expect(try tokenizer.encode("ab éab ab_").filter { $0 == 261 }.count == 1)
    }

    @Test func normalizedTokensAreFoundInNormalizedText() throws {
        var definition = smallDefinition().adding("<\u{E9}>") { $0.isNormalized = true }
        definition.normalizers = [.nfc]
        let tokenizer = try Tokenizer(definition)
        #expect(try tokenizer.encode("<e\u{301}>") == [261])
        #expect(
            tokenizer.decode(try tokenizer.encode("e\u{301}\u{1112}\u{1161}")).unicodeScalars.count
                == 2)
    }

    @Test func wholeWordsMayOverruleTheMerges() throws {
        var definition = smallDefinition()
        definition.tokens.append("xyz")
        definition.types.append(.normal)
        #expect(try Tokenizer(definition).words("xyz") == ["x", "y", "z"])
        definition.ignoresMerges = true
        #expect(try Tokenizer(definition).words("xyz") == ["xyz"])
    }

    @Test(arguments: [(false, 3), (true, 1)])
    func bytesWithoutTokensBecomeTheUnknownToken(fuses: Bool, count: Int) throws {
        var definition = smallDefinition()
        definition.tokens[Int(UInt8(ascii: "q"))] = "gone"
        definition.unknownToken = 0
        definition.fusesUnknown = fuses
        #expect(try Tokenizer(definition).encode("qqq").filter { $0 == 0 }.count == count)
        definition.unknownToken = nil
        #expect(try Tokenizer(definition).encode("qqq") == [])
    }

    @Test func prefixAndSuffixSurroundTheText() throws {
        var definition = smallDefinition().adding("<s>").adding("</s>")
        definition.prefix = [261]
        definition.suffix = [262]
        definition.specialTokens = [.beginning: 261, .end: 262]
        let tokenizer = try Tokenizer(definition)
        #expect(tokenizer.addsBOS && tokenizer.addsEOS)
        #expect(try tokenizer.encode("") == [261, 262])
        #expect(try tokenizer.encode("hello", addSpecial: false) == [259])
    }

    /// More ids than are held, through every way out: words, added tokens, suffix.
    @Test func runsOfIDsMakeTheWhole() throws {
        var definition = smallDefinition().adding("<s>").adding("</s>")
        (definition.prefix, definition.suffix) = ([261], [262])
        let tokenizer = try Tokenizer(definition)
        let text = Array(String(repeating: "hello hé<s> world\n", count: 1_500).utf8)
        var runs: [[Int32]] = []
        try text.withUnsafeBytes { try tokenizer.encode(utf8: $0) { runs.append($0) } }
        #expect(runs.count > 2)
        #expect(
            Array(runs.joined()) == (try text.withUnsafeBytes { try tokenizer.encode(utf8: $0) }))
        let error = #expect(throws: ModelError.self) {
            try text.withUnsafeBytes { bytes in
                try tokenizer.encode(utf8: bytes) { _ in throw ModelError("enough") }
            }
        }
        #expect(error?.description == "enough")
    }

    @Test func textThatIsNotUTF8IsRefusedWithItsPlace() throws {
        let tokenizer = try Tokenizer(smallDefinition())
        let bytes: [UInt8] = [0x61, 0xC3, 0xA9, 0xC3, 0x28]
        let error = try #require(throws: FormatError.self) {
            try bytes.withUnsafeBytes { try tokenizer.encode(utf8: $0) }
        }
        #expect(error.offset == 3)
        let long = Array(repeating: bytes[1...2], count: 1 << 20).joined() + [0x80]
        let later = try #require(throws: FormatError.self) {
            try Array(long).withUnsafeBytes { try tokenizer.encode(utf8: $0) }
        }
        #expect(later.offset == 1 << 21)
    }

    /// Long words take another path; their tokens must be the same.
    @Test(arguments: [1, 7, 63, 64, 65, 66, 1000])
    func longWordsMergeAsShortOnesDo(count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let tokenizer = try Tokenizer(
            smallDefinition([.byteLevel(addsPrefixSpace: false, usesExpression: false)]))
        let word = (0..<count).map { _ in "helo ".randomElement(using: &generator) ?? "h" }
        let ids = try tokenizer.encode(String(word))
        #expect(ids == definition(of: Array(String(word).utf8), smallDefinition()))
    }

    @Test func aLongWordIsNotQuadratic() throws {
        let tokenizer = try Tokenizer(smallDefinition())
        let text = String(repeating: "hel", count: 100_000)
        var count = 0
        let elapsed = try ContinuousClock().measure { count = try tokenizer.encode(text).count }
        #expect(count == 200_000)
        // Quadratic work would take hours; this leaves room for a slow machine.
        #expect(elapsed < .seconds(60))
    }

    /// Byte pair encoding as its definition has it: the best pair of the whole word, again and again.
    private func definition(of bytes: [UInt8], _ tokenizer: TokenizerDefinition) -> [Int32] {
        var tokens = bytes.map { String(Character(ByteAlphabet.scalars[Int($0)])) }
        while true {
            let places = tokens.indices.dropLast().map { place in
                (
                    tokenizer.merges.firstIndex(of: Merge(tokens[place], tokens[place + 1]))
                        ?? .max, place
                )
            }
            guard let best = places.min(by: { $0 < $1 }), best.0 != .max else { break }
            tokens[best.1] += tokens.remove(at: best.1 + 1)
        }
        return tokens.map { Int32(tokenizer.tokens.firstIndex(of: $0) ?? -1) }
    }
}

/// The table that spells bytes, read from its other side and beyond its ends.
@Test func spellingsAreReadAsTheAlphabetHasThem() throws {
    for value in 0..<UInt32(0x900) {
        let scalar = try #require(Unicode.Scalar(value))
        var bytes: [UInt8] = [7]
        let isSpelling = ByteAlphabet.append("!\(Character(scalar))", to: &bytes)
        let byte = ByteAlphabet.scalars.firstIndex(of: scalar).map { UInt8($0) }
        #expect(isSpelling == (byte != nil))
        #expect(bytes == (byte.map { [7, 0x21, $0] } ?? [7]))
    }
    for bytes: [UInt8] in [[0x80], [0xC4], [0xC1, 0xA1], [0xC4, 0x41], [0xE2, 0x84, 0xA6]] {
        #expect(bytes.withUnsafeBufferPointer { ByteAlphabet.bytes(of: $0) } == nil)
    }
}
