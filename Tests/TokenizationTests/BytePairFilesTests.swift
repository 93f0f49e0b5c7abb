import ByteIO
import TensorIR
import Testing

@testable import Tokenization

@Suite struct BytePairFilesTests {
    /// A folder with the two files of the small tokenizer, and others.
    private func checkpoint(_ documents: [(String, JSON)]) -> Checkpoint {
        var vocabulary = JSON.Members()
        let definition = smallDefinition().adding("<s>").adding("</s>").adding("<|endoftext|>")
        for (id, token) in definition.tokens.enumerated() {
            vocabulary[ExactString(token)] = .integer(id)
        }
        let merges = definition.merges.map { "\($0.left) \($0.right)\n" }.joined()
        var checkpoint = folder(documents + [("vocab.json", .object(vocabulary))])
        checkpoint.documents["merges.txt"] = Array("#version: 0.2\r\n\(merges)\n".utf8)
        return checkpoint
    }

    @Test(arguments: [
        ("GPT2Tokenizer", "gpt-2", [Normalizer]()), ("Qwen2TokenizerFast", "qwen2", [.nfc]),
        ("RobertaTokenizer", "gpt-2", []),
    ])
    func theClassSaysHowTextIsCut(
        tokenizerClass: String, name: String, normalizers: [Normalizer]
    ) throws {
        let settings: JSON = ["tokenizer_class": .string(tokenizerClass)]
        let definition = try TokenizerDefinition(
            checkpoint: checkpoint([("tokenizer_config.json", settings)]))
        let match = GGUFPreTokenizer.matching(definition.preTokenizer, ignoresMerges: false)
        #expect(match?.entry.names.first == name)
        #expect(definition.normalizers == normalizers)
        #expect(try Tokenizer(definition).words("hello hello").suffix(2).contains(" hello"))
        #expect(definition.merges == smallDefinition().merges)
        let isEnclosed = tokenizerClass == "RobertaTokenizer"
        #expect(definition.prefix == (isEnclosed ? [261] : []))
        #expect(definition.suffix == (isEnclosed ? [262] : []))
    }

    @Test func specialTokensComeFromEveryFile() throws {
        let checkpoint = checkpoint([
            ("config.json", ["model_type": "gpt2"]),
            ("added_tokens.json", ["<extra>": 264, "[PAD]": 265]),
            ("special_tokens_map.json", ["pad_token": "[PAD]", "sep_token": ["content": "[SEP]"]]),
            (
                "tokenizer_config.json",
                ["bos_token": "<s>", "add_bos_token": true, "unk_token": nil]
            ),
        ])
        let definition = try TokenizerDefinition(checkpoint: checkpoint)
        #expect(
            definition.specialTokens == [
                .beginning: 261, .end: 263, .padding: 265, .separator: 266,
            ])
        let tokenizer = try Tokenizer(definition)
        #expect(try tokenizer.encode("<extra>hello[PAD][SEP]") == [261, 264, 259, 265, 266])
        #expect(
            tokenizer.decode([261, 264, 259, 265, 266], skipSpecial: true) == "<extra>hello")
    }

    @Test func refusesClassesAndTypesThatItDoesNotKnow() throws {
        for (document, named) in [
            (
                ("tokenizer_config.json", ["tokenizer_class": "CLIPTokenizer"] as JSON),
                "CLIPTokenizer"
            ),
            (("config.json", ["model_type": "mystery"]), "mystery"),
        ] {
            let error = #expect(throws: ModelError.self) {
                try TokenizerDefinition(checkpoint: checkpoint([document]))
            }
            #expect(error?.description.contains(named) == true)
        }
        var broken = checkpoint([])
        broken.documents["merges.txt"] = Array("l l\na b c\n".utf8)
        let error = #expect(throws: FormatError.self) {
            try TokenizerDefinition(checkpoint: broken)
        }
        #expect(error?.offset == 4)
    }
}
