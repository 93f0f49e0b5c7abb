import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import Tokenization

@Suite struct IncrementalDecoderTests {
    @Test func aCharacterComesOutWithItsLastToken() throws {
        let tokenizer = try Tokenizer(smallDefinition())
        var decoder = tokenizer.incrementalDecoder()
        let pieces = try tokenizer.encode("hello é🦙!").map { decoder.append($0) }
        #expect(pieces == ["hello", " ", "", "é", "", "", "", "🦙", "!"])
        #expect(decoder.finish() == "")
    }

    @Test func whatNeverEndsIsReplaced() throws {
        let tokenizer = try Tokenizer(smallDefinition())
        var decoder = tokenizer.incrementalDecoder()
        let ids = try tokenizer.encode("🦙").dropLast()
        #expect(ids.map { decoder.append($0) } == ["", "", ""])
        #expect(decoder.finish() == "\u{FFFD}")
        #expect(decoder.finish() == "")
    }

    @Test func specialTokensStayOutWhereUnwanted() throws {
        let tokenizer = try Tokenizer(smallDefinition().adding("<s>"))
        var decoder = tokenizer.incrementalDecoder(skipSpecial: true)
        #expect(try tokenizer.encode("a<s>b").map { decoder.append($0) } == ["a", "", "b"])
    }

    /// Bytes by chance, whole characters among them, are mostly faults of every kind.
    @Test(arguments: 0..<8) func thePiecesMakeTheWhole(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let tokenizer = try Tokenizer(smallDefinition())
        let leads: [UInt8] = [0xC1, 0xC3, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0x80]
        var bytes: [UInt8] = []
        while bytes.count < 1000 {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes += Array("é日🦙a".randomElement(using: &generator)?.utf8 ?? "x".utf8)
            case 1: bytes.append(leads.randomElement(using: &generator) ?? 0)
            case 2: bytes.append(UInt8.random(in: 0x80...0xBF, using: &generator))
            default: bytes.append(UInt8.random(in: 0...0xFF, using: &generator))
            }
        }
        let ids = bytes.map { Int32($0) }
        var decoder = tokenizer.incrementalDecoder()
        var pieces = ids.map { decoder.append($0) }
        pieces.append(decoder.finish())
        #expect(Array(pieces.joined().utf8) == Array(tokenizer.decode(ids).utf8), "\(bytes)")
    }

    /// Where the first token is decoded in another way than the rest.
    @Test(
        .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
        arguments: [
            "tokenizers/spm-bpe-byte-fallback", "tokenizers/unigram-nfkc",
            "tokenizers/wordpiece-bert-uncased", "tokenizers/bpe-gpt2-prefix-space",
        ])
    func spacesAreWhereTheWholeHasThem(path: String) throws {
        let file = "\(Repository.shared(path))/tokenizer.json"
        let tokenizer = try Tokenizer(
            TokenizerDefinition(
                tokenizer: JSON(parsing: MappedFile.contents(ofFile: file), subject: file)))
        for text in ["Hello, how are you?", "  two  spaces", "Grüße 世界 🦙🦙 don't", " a", "a b\nc"] {
            let ids = try tokenizer.encode(text)
            for skipSpecial in [true, false] {
                var decoder = tokenizer.incrementalDecoder(skipSpecial: skipSpecial)
                var whole = ids.map { decoder.append($0) }.joined()
                whole += decoder.finish()
                #expect(whole == tokenizer.decode(ids, skipSpecial: skipSpecial))
            }
        }
    }

    /// Decoders of all kinds: bytes in tokens, spaces before or between tokens, ends that are stripped.
    @Test(
        arguments: [
            [], [.replace("▁", with: " "), .byteFallback, .fuse, .strip(" ", start: 1, stop: 0)],
            [.byteFallback, .fuse, .strip("a", start: 2, stop: 3)],
            [.metaspace("▁", dropsFirst: true)],
            [.wordPiece(prefix: "##", cleansUp: true)], [.wordSuffix("</w>")], [.fuse],
            [.byteFallback, .strip("a", start: 1, stop: 1)],
        ] as [[DecoderStep]])
    func thePiecesMakeTheWholeForEveryDecoder(steps: [DecoderStep]) throws {
        let words = [
            "▁", "▁a", "a", "##a", "b</w>", "c", ".", " ", "<s>", "aaa", "日", "n't", "▁do", "##é",
        ]
        let bytes: [UInt8] = [0xE6, 0x97, 0xA5, 0x41, 0xFF, 0x20]
        var definition = TokenizerDefinition(
            tokens: words + bytes.map(ByteToken.spelling), merges: [], preTokenizer: [])
        definition.model = .characterBPE
        definition.decoder = steps
        let tokenizer = try Tokenizer(definition)
        for seed in 0..<50 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let ids = (0..<100).map { _ in
                Int32.random(in: 0..<Int32(definition.tokens.count), using: &generator)
            }
            var decoder = tokenizer.incrementalDecoder()
            var pieces = ids.map { decoder.append($0) }
            pieces.append(decoder.finish())
            #expect(Array(pieces.joined().utf8) == Array(tokenizer.decode(ids).utf8), "\(seed)")
        }
    }
}
