import ByteIO
import TensorIR
import Testing

@testable import Tokenization

@Suite struct TextModelTests {
    @Test(arguments: [
        ("hello", ["▁hello"]), ("hello hell", ["▁hello", "▁", "hell"]), ("", []),
        (" hello", ["▁", "▁hello"]), ("é", ["▁", "<0xC3>", "<0xA9>"]),
    ]) func scoredBPEMergesTheHighestScoreFirst(text: String, expected: [String]) throws {
        let tokenizer = try Tokenizer(smallScoredBPE())
        let ids = try tokenizer.encode(text, addSpecial: false)
        #expect(ids.map { tokenizer.definition.tokens[Int($0)] } == expected)
        #expect(tokenizer.decode(ids) == text)
    }

    /// The same ids by scores and by the list of merges that is written for the library.
    @Test func scoresAndTheirListOfMergesAgree() throws {
        let scored = smallScoredBPE()
        let documents = scored.huggingFaceDocuments()
        let listed = try TokenizerDefinition(tokenizer: json(documents["tokenizer.json"]))
        #expect(listed.scores.isEmpty && !listed.merges.isEmpty)
        for text in ["hello", "hhellohell o", "ollehello", "  h e"] {
            #expect(try Tokenizer(listed).encode(text) == Tokenizer(scored).encode(text), "\(text)")
        }
    }

    @Test(arguments: [
        ("abcd", ["▁", "ab", "cd"]), ("abc", ["▁", "abc"]), ("x", ["▁", "<unk>"]),
        ("xyzab", ["▁", "<unk>", "ab"]), ("a b", ["▁", "a", "▁", "b"]), ("", []),
    ]) func unigramTakesTheMostProbableTokens(text: String, expected: [String]) throws {
        let tokenizer = try Tokenizer(smallUnigram())
        let ids = try tokenizer.encode(text, addSpecial: false)
        #expect(ids.map { tokenizer.definition.tokens[Int($0)] } == expected)
    }

    @Test(arguments: [
        ("Playing", ["play", "##ing"]), ("playingx", ["[UNK]"]), ("a!á", ["a", "!", "a"]),
        ("中aa", ["[UNK]", "a", "##a"]), ("aaa", ["a", "##a", "##a"]), ("aaaaaa", ["[UNK]"]),
        ("a\u{0}\u{200B}a", ["a", "##a"]),
    ]) func wordPieceTakesTheLongestTokens(text: String, expected: [String]) throws {
        var definition = smallWordPiece()
        definition.maximumWordLength = 5
        if text.lowercased().hasPrefix("play") { definition.maximumWordLength = 100 }
        let tokenizer = try Tokenizer(definition)
        let ids = try tokenizer.encode(text, addSpecial: false)
        #expect(ids.map { tokenizer.definition.tokens[Int($0)] } == expected)
    }

    @Test func wordPieceDecodesWithItsSpaces() throws {
        let tokenizer = try Tokenizer(smallWordPiece())
        let ids = try tokenizer.encode("playing a playa!")
        #expect(tokenizer.decode(ids, skipSpecial: true) == "playing a playa!")
        #expect(ids.first == 2 && ids.last == 3)
    }

    @Test func bytesThatAreNoTextDecodeToOneReplacementEach() throws {
        let tokenizer = try Tokenizer(smallScoredBPE())
        let ids = try tokenizer.encode("é", addSpecial: false)
        #expect(tokenizer.decode(ids.dropLast()) == "\u{FFFD}")
        #expect(tokenizer.decode(Array(ids.dropFirst().reversed())) == "\u{FFFD}\u{FFFD}")
        #expect(tokenizer.decodeBytes(ids.dropLast()) == [0xC3])
    }

    /// Through GGUF nothing is lost, whatever the options.
    @Test func everyModelSurvivesGGUFWhole() throws {
        var normalized = smallUnigram()
        normalized.normalizers = [.form(.nfkc), .nmt, .strip(left: true, right: false), .lowercase]
        normalized.scores[4] = -3.1
        normalized.usesByteFallback = true
        var cased = smallWordPiece().adding("<word>") { $0.isSpecial = false }
        cased.normalizers = [.bert(BertNormalization(stripsAccents: false, lowercases: false))]
        cased.tokens.append("##[x]")
        cased.types.append(.normal)
        cased.maximumWordLength = 7
        cased.outsideModel = [10]
        var metaspace = smallScoredBPE()
        metaspace.normalizers = []
        metaspace.preTokenizer = [
            .metaspace(MetaspaceOptions(prependScheme: .first, splits: false))
        ]
        metaspace.decoder = [.byteFallback, .metaspace("▁", dropsFirst: true)]
        metaspace.addedTokens.removeFirst()
        metaspace.specialTokens[.end] = nil
        for definition in [
            smallScoredBPE(), smallUnigram(), smallWordPiece(), normalized, cased, metaspace,
        ] {
            let written = try definition.gguf(vocabularySize: 300)
            var read = try TokenizerDefinition(gguf: written.metadata)
            read.tokens.removeLast(300 - definition.tokens.count)
            read.types.removeLast(300 - definition.types.count)
            if !read.scores.isEmpty { read.scores.removeLast(300 - definition.scores.count) }
            read.outsideModel = read.outsideModel.filter { $0 < definition.tokens.count }
            #expect(read == definition)
        }
    }

    @Test func plainFilesOfLlamaCPPNeedNoKeyOfOurs() throws {
        #expect(try smallScoredBPE().gguf().metadata["detent.tokenizer"] == nil)
        #expect(try smallWordPiece().gguf().metadata["detent.tokenizer"] == nil)
    }

    @Test func readsBERTsWordList() throws {
        let tokens = smallWordPiece().tokens
        var checkpoint = folder([("tokenizer_config.json", ["do_lower_case": true])])
        checkpoint.documents["vocab.txt"] = Array((tokens.joined(separator: "\r\n") + "\n").utf8)
        #expect(try TokenizerDefinition(checkpoint: checkpoint) == smallWordPiece())
    }

    @Test(arguments: [
        (Normalizer.form(.nfkc), "ﬁ½Å\u{212B}", "fi1⁄2ÅÅ"),
        (.form(.nfkd), "Åﬁ", "A\u{30A}fi"), (.form(.nfd), "é²", "e\u{301}²"),
        (.nmt, "a\tb\u{200B}c\u{7}d", "a b cd"), (.lowercase, "İSTΣ", "i\u{307}stσ"),
        (.stripAccents, "e\u{301}é", "eé"),
        (.strip(left: true, right: true), " \u{3000}a b\n", "a b"),
        (.prepend("▁"), "a", "▁a"), (.prepend("▁"), "", ""),
        (.replace(.expression(" {2,}"), with: "_"), "a  b   c d", "a_b_c d"),
        (.replace(.literal("ab"), with: ""), "aabbab", "ab"),
        (.bert(BertNormalization()), "Ça\u{0}va\t中!", "cava  中 !"),
    ]) func normalizes(normalizer: Normalizer, text: String, expected: String) throws {
        let run = try TextNormalizer(TextNormalizer.Step.compiled([normalizer]))
        let changed = try run.applied(to: Array(text.utf8))
        #expect(ExactString(String(decoding: changed, as: UTF8.self)) == ExactString(expected))
    }

    @Test(arguments: [
        (MetaspaceOptions.PrependScheme.always, ["▁a", "▁b", "</s>", "▁c"]),
        (.first, ["▁a", "▁b", "</s>", "c"]), (.never, ["a", "▁b", "</s>", "c"]),
    ]) func metaspacePrependsWhereItsSchemeSays(
        scheme: MetaspaceOptions.PrependScheme, expected: [String]
    ) throws {
        var definition = smallUnigram()
        definition.tokens += ["▁a", "▁b", "▁c"]
        definition.types += [.normal, .normal, .normal]
        definition.scores += [-1, -1, -1]
        definition.preTokenizer = [.metaspace(MetaspaceOptions(prependScheme: scheme))]
        let tokenizer = try Tokenizer(definition)
        let ids = try tokenizer.encode("a b</s>c", addSpecial: false)
        #expect(ids.map { definition.tokens[Int($0)] } == expected)
    }

    @Test(arguments: [[], [0], [0, 1], [0, 1, 2], Array(0...255)])
    func base64ComesBack(bytes: [UInt8]) {
        #expect(Base64.decoded(Base64.encoded(bytes)) == bytes)
        #expect(Base64.decoded("AAA") == nil && Base64.decoded("A=AA") == nil)
    }
}
