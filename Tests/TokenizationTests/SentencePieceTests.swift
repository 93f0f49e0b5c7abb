import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import Tokenization

@Suite struct SentencePieceTests {
    @Test func readsTheModelFile() throws {
        var expected = smallScoredBPE()
        expected.scores = expected.scores.map { Double(Float($0)) }
        #expect(try TokenizerDefinition(sentencePiece: smallSentencePiece()) == expected)
    }

    @Test func aFolderNeedsNothingElse() throws {
        var checkpoint = folder([("tokenizer_config.json", ["add_bos_token": false])])
        checkpoint.documents["tokenizer.model"] = smallSentencePiece()
        let definition = try TokenizerDefinition(checkpoint: checkpoint)
        #expect(try Tokenizer(definition).encode("hello") == [268])
    }

    @Test func laterTokensJoinTheModels() throws {
        let settings: JSON = [
            "added_tokens_decoder": [
                "270": ["content": "<|end|>", "special": true, "rstrip": true]
            ]
        ]
        var checkpoint = folder([("tokenizer_config.json", settings)])
        checkpoint.documents["tokenizer.model"] = smallSentencePiece()
        let tokenizer = try Tokenizer(TokenizerDefinition(checkpoint: checkpoint))
        #expect(try tokenizer.encode("hello<|end|> hello") == [1, 268, 270, 268])
        #expect(tokenizer.definition.types[269] == .unused)
    }

    /// Each file breaks one rule.
    @Test(arguments: [
        ("empty", []), ("no pieces", [0x12, 0x00]), ("length beyond the file", [0x0A, 0x7F]),
        ("piece is a number", [0x08, 0x01]), ("number without end", [0x80]),
        ("number of 11 bytes", [0x20] + Array(repeating: 0xFF, count: 11)),
        ("text not UTF-8", [0x0A, 0x03, 0x0A, 0x01, 0xFF]),
        ("unknown type", [0x0A, 0x02, 0x18, 0x09]), ("group", [0x0B]),
        ("field 0", [0x02, 0x00]),
    ]) func refusesWhatIsNoModel(fault: String, bytes: [UInt8]) {
        #expect(throws: FormatError.self) { try TokenizerDefinition(sentencePiece: bytes) }
    }

    /// Damaged files are read or refused; what is read encodes or says why not.
    @Test func damagedModelsNeverTrap() throws {
        for isBPE in [true, false] {
            let original = smallSentencePiece(isBPE: isBPE, characterMap: smallCharacterMap)
            for seed in 0..<150 as Range<UInt64> {
                var mutator = Mutator(seed: seed)
                let (bytes, _) = mutator.mutated(original)
                do {
                    let tokenizer = try Tokenizer(TokenizerDefinition(sentencePiece: bytes))
                    _ = tokenizer.decode(try tokenizer.encode("hello é\u{0} A"))
                    _ = try tokenizer.definition.gguf()
                } catch is FormatError {
                } catch is ModelError {
                }
            }
        }
    }

    @Test func scoresOfTheModelFileGoToGGUF() throws {
        let written = smallScoredBPE().huggingFaceDocuments()
        var checkpoint = Checkpoint(path: "", dialect: .huggingFace, tensors: [])
        checkpoint.documents = written
        checkpoint.documents["tokenizer.model"] = smallSentencePiece()
        let definition = try TokenizerDefinition(checkpoint: checkpoint)
        #expect(definition.scores == smallScoredBPE().scores)
        #expect(!definition.merges.isEmpty)
        let metadata = try definition.gguf().metadata
        #expect(metadata["tokenizer.ggml.model"] == .string("llama"))
        #expect(metadata["tokenizer.ggml.pre"] == .string("default"))
        #expect(metadata["tokenizer.ggml.scores"]?.doubles == smallScoredBPE().scores)
        #expect(metadata["detent.tokenizer"] == nil)
        #expect(try Tokenizer(TokenizerDefinition(gguf: metadata)).encode("hello") == [1, 268])
    }

    /// A table that is applied in SentencePiece's way stays with any model.
    @Test(arguments: [true, false]) func tablesSurviveGGUF(isBPE: Bool) throws {
        let bytes = smallSentencePiece(isBPE: isBPE, characterMap: smallCharacterMap)
        let definition = try TokenizerDefinition(sentencePiece: bytes)
        #expect(try TokenizerDefinition(gguf: definition.gguf().metadata) == definition)
    }

    /// A trie with the keys "A" and "é" and the replacements "b" and "".
    @Test(arguments: [CharacterMap.Matching.longestPrefix, .firstPrefixOfClusters])
    func replacesByItsTable(matching: CharacterMap.Matching) throws {
        let map = try CharacterMap(smallCharacterMap, matching: matching)
        let text = Array("xAé\u{1F999}A\u{301}".utf8)
        let changed = text.withUnsafeBufferPointer(map.applied)
        let expected =
            matching == .longestPrefix ? "xb\u{1F999}b\u{301}" : "xb\u{1F999}b"
        #expect(String(decoding: changed, as: UTF8.self) == expected)
    }

    @Test(arguments: [
        [], [1, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [4, 0, 0, 0, 0, 0, 0, 0, 1],
    ])
    func refusesBrokenTables(bytes: [UInt8]) {
        #expect(throws: ModelError.self) { try CharacterMap(bytes, matching: .longestPrefix) }
    }

    /// Units by hand: the children of the root start at offset 0x100.
    private var smallCharacterMap: [UInt8] {
        var units = [UInt32](repeating: 0, count: 0x400)
        units[0] = 0x100 << 10
        // "A" ends; its value stands at its own place, moved by its offset.
        units[0x100 ^ 0x41] = 0x41 | 0x100 | (0x300 << 10)
        units[0x100 ^ 0x41 ^ 0x300] = 0
        // C3 leads on to A9, which ends.
        units[0x100 ^ 0xC3] = 0xC3 | (0x200 << 10)
        let second = 0x100 ^ 0xC3 ^ 0x200 ^ 0xA9
        units[second] = 0xA9 | 0x100 | (0x010 << 10)
        units[second ^ 0x010] = 2
        var bytes = withUnsafeBytes(of: UInt32(4 * units.count).littleEndian) { Array($0) }
        for unit in units { withUnsafeBytes(of: unit.littleEndian) { bytes += $0 } }
        return bytes + Array("b\u{0}\u{0}".utf8)
    }
}
