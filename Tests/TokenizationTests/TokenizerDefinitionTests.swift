import ByteIO
import OrderedCollections
import TensorIR
import TestSupport
import Testing

@testable import Tokenization

@Suite struct TokenizerDefinitionTests {
    /// Each part asks for something else that is not there yet, and must be named in the refusal.
    @Test(
        arguments: [
            ("normalizer", ["type": "Uppercase"], "Uppercase"),
            (
                "normalizer", ["type": "Sequence", "normalizers": [["type": "ByteLevel"]]],
                "ByteLevel"
            ),
            ("normalizer", ["type": "Precompiled", "precompiled_charsmap": "AAA"], "base64"),
            ("pre_tokenizer", ["type": "Magic"], "Magic"),
            (
                "pre_tokenizer", ["type": "Metaspace", "prepend_scheme": "sometimes"],
                "prepend_scheme"
            ),
            ("post_processor", ["type": "Magic"], "Magic"),
            ("decoder", ["type": "CTC"], "CTC"),
            (
                "decoder", ["type": "Replace", "pattern": ["Regex": "a"], "content": ""], "Regex"
            ),
            ("model", ["type": "WordLevel", "vocab": [:]], "WordLevel"),
            (
                "model", ["type": "BPE", "vocab": [:], "merges": [], "byte_fallback": true],
                "byte_fallback"
            ),
            ("model", ["type": "BPE", "vocab": [:], "merges": [], "dropout": 0.5], "dropout"),
        ] as [(String, JSON, String)])
    func refusesByName(part: String, value: JSON, named: String) throws {
        var document = try smallDocument()
        document[part] = value
        let error = try #require(throws: ModelError.self) {
            try TokenizerDefinition(tokenizer: .object(document))
        }
        #expect(error.description.contains(named))
    }

    @Test(arguments: ["rwkv", "plamo2", "none"])
    func refusesOtherModelsOfGGUFByName(model: String) {
        let error = #expect(throws: ModelError.self) {
            try TokenizerDefinition(gguf: ["tokenizer.ggml.model": .string(model)])
        }
        #expect(error?.description.contains("'\(model)'") == true)
    }

    /// Ω and the unit ohm are canonically equivalent and yet two tokens.
    @Test func tokensAreTheSameWhereTheirBytesAre() throws {
        let definition = smallDefinition().adding("\u{3A9}").adding("\u{2126}")
        let documents = definition.huggingFaceDocuments()
        let read = try TokenizerDefinition(tokenizer: json(documents["tokenizer.json"]))
        #expect(read.tokens.suffix(2).map { ExactString($0) } == ["\u{3A9}", "\u{2126}"])
        let tokenizer = try Tokenizer(read)
        #expect(try tokenizer.encode("\u{3A9}\u{2126}\u{3A9}") == [261, 262, 261])
        #expect(read.id(of: "\u{2126}") == 262)
    }

    @Test func refusesUnknownPreTokenizerNames() throws {
        var metadata = try smallDefinition().gguf().metadata
        metadata["tokenizer.ggml.pre"] = .string("nobody-knows")
        let error = #expect(throws: ModelError.self) { try TokenizerDefinition(gguf: metadata) }
        #expect(error?.description.contains("nobody-knows") == true)
    }

    /// Everything that GGUF has no key for must come back all the same.
    @Test func survivesGGUFWhole() throws {
        var definition = smallDefinition([
            .split(.literal("-"), .mergedWithNext, isInverted: true),
            .byteLevel(addsPrefixSpace: true, usesExpression: true),
        ]).adding("<s>") { $0.stripsRight = true }.adding("word") { $0.isSpecial = false }
        definition.normalizers = [.nfc]
        definition.ignoresMerges = true
        definition.unknownToken = 3
        definition.fusesUnknown = true
        definition.prefix = [261, 262]
        definition.suffix = [262]
        definition.specialTokens = [.beginning: 261, .padding: 0]
        definition.chatTemplates = [
            ChatTemplate(text: "{{ x }}"), ChatTemplate(name: "tool_use", text: "{{ y }}"),
        ]
        let written = try definition.gguf()
        #expect(try TokenizerDefinition(gguf: written.metadata) == definition)
        #expect(!written.notes.isEmpty)

        var checkpoint = Checkpoint(path: "", dialect: .huggingFace, tensors: [])
        checkpoint.documents = definition.huggingFaceDocuments()
        #expect(try TokenizerDefinition(checkpoint: checkpoint) == definition)
    }

    @Test func writesTheKeysOfLlamaCPPInItsOrder() throws {
        var definition = smallDefinition().adding("<s>")
        definition.specialTokens = [.end: 261, .beginning: 261]
        #expect(
            Array(try definition.gguf().metadata.keys) == [
                "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens",
                "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
                "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                "tokenizer.ggml.add_bos_token",
            ])
    }

    @Test func padsTheVocabularyToTheEmbedding() throws {
        let definition = smallDefinition()
        let metadata = try definition.gguf(vocabularySize: 264).metadata
        #expect(metadata["tokenizer.ggml.tokens"]?.strings?.suffix(2) == ["[PAD262]", "[PAD263]"])
        #expect(metadata["tokenizer.ggml.token_type"]?.integers?.suffix(2) == [5, 5])
        #expect(throws: ModelError.self) { try definition.gguf(vocabularySize: 260) }
        // A folder needs no fillers.
        let documents = try TokenizerDefinition(gguf: metadata).huggingFaceDocuments()
        let tokenizer = try json(documents["tokenizer.json"])
        #expect(tokenizer["model"]?["vocab"]?.object?.count == 261)
    }

    /// What `tokenizer_config.json` says out loud overrules the template; silence does not.
    @Test(
        arguments: [
            (false, nil, false), (false, true, true), (true, nil, true), (true, false, false),
        ] as [(Bool, Bool?, Bool)])
    func settingsDecideOverBOS(inTemplate: Bool, setting: Bool?, expected: Bool) throws {
        var definition = smallDefinition().adding("<s>")
        definition.prefix = inTemplate ? [261] : []
        let documents = definition.huggingFaceDocuments()
        var settings: JSON = ["bos_token": ["content": "<s>"]]
        if let setting { settings = ["bos_token": "<s>", "add_bos_token": .bool(setting)] }
        let checkpoint = folder([
            ("tokenizer.json", try json(documents["tokenizer.json"])),
            ("tokenizer_config.json", settings),
        ])
        let read = try TokenizerDefinition(checkpoint: checkpoint)
        #expect(read.specialTokens[.beginning] == 261)
        #expect(read.addsBOS == expected)
    }

    @Test func rolesComeFromTheModelWhereTheSettingsAreSilent() throws {
        let checkpoint = folder([
            ("tokenizer.json", .object(try smallDocument())),
            ("config.json", ["bos_token_id": 5, "eos_token_id": [7, 9], "pad_token_id": nil]),
        ])
        let definition = try TokenizerDefinition(checkpoint: checkpoint)
        #expect(definition.specialTokens == [.beginning: 5, .end: 7])
        #expect(!definition.addsBOS)
    }

    @Test func chatTemplateFilesCountMoreThanSettings() throws {
        var checkpoint = folder([
            ("tokenizer.json", .object(try smallDocument())),
            ("tokenizer_config.json", ["chat_template": [["name": "default", "template": "old"]]]),
        ])
        checkpoint.documents["chat_template.jinja"] = Array("new".utf8)
        #expect(
            try TokenizerDefinition(checkpoint: checkpoint).chatTemplates == [
                ChatTemplate(text: "new")
            ])
    }

    /// One value of a document or of the metadata is changed at a time. Read or refuse, never trap.
    @Test func mutationsAreReadOrRefused() throws {
        var definition = smallDefinition([
            .digits(individual: true), .byteLevel(addsPrefixSpace: true, usesExpression: true),
        ]).adding("<s>").adding("</s>")
        definition.prefix = [261]
        definition.unknownToken = 1
        let document = try json(definition.huggingFaceDocuments()["tokenizer.json"])
        var generator = SeededGenerator(seed: 2)
        var refused = 0
        for _ in 0..<300 {
            let mutant = document.mutated(&generator)
            do {
                let tokenizer = try Tokenizer(TokenizerDefinition(tokenizer: mutant))
                let ids = try tokenizer.encode("hello <s> 12 é")
                _ = tokenizer.decode(ids)
                let metadata = try tokenizer.definition.gguf().metadata
                _ = try TokenizerDefinition(gguf: metadata)
                _ = tokenizer.definition.huggingFaceDocuments()
            } catch {
                refused += 1
            }
        }
        #expect(refused > 50)
    }

    @Test func mutatedMetadataIsReadOrRefused() throws {
        var definition = smallDefinition().adding("<s>") { $0.stripsLeft = true }
        definition.prefix = [261, 261]
        definition.specialTokens = [.beginning: 261]
        let metadata = try definition.gguf().metadata
        let values: [MetadataValue] = [
            .uint64(.max), .int32(-1), .string("{\"prefix\":[-1]}"), .string("{"), .bool(true),
            .array(.string([])), .array(.string(["", " ", "a b c"])), .array(.int32([9, -9])),
            .float32(.nan), .string(#"{"added_tokens":[{"id":99999999999}]}"#),
        ]
        for key in metadata.keys {
            for value in values {
                var mutant = metadata
                mutant[key] = value
                _ = try? Tokenizer(TokenizerDefinition(gguf: mutant)).encode("hello <s>")
            }
        }
    }

    private func smallDocument() throws -> JSON.Members {
        let document = try json(smallDefinition().huggingFaceDocuments()["tokenizer.json"])
        return try #require(document.object)
    }
}

extension JSON {
    /// A copy in which one value, chosen by chance, is another.
    fileprivate func mutated(_ generator: inout SeededGenerator) -> JSON {
        let strange: [JSON] = [
            nil, true, -1, 0, 261, 99_999_999, .integer(.max), .number(.nan), "", "Ġ", "ByteLevel",
            [], [:], ["a", "b"], ["type": "Sequence"],
        ]
        switch self {
        case .array(var elements)
        where !elements.isEmpty && Int.random(in: 0..<8, using: &generator) > 0:
            let place = Int.random(in: 0..<elements.count, using: &generator)
            elements[place] = elements[place].mutated(&generator)
            return .array(elements)
        case .object(var members)
        where !members.isEmpty && Int.random(in: 0..<8, using: &generator) > 0:
            let key = members.keys[Int.random(in: 0..<members.count, using: &generator)]
            members[key] = members[key]?.mutated(&generator)
            return .object(members)
        default:
            return strange[Int.random(in: 0..<strange.count, using: &generator)]
        }
    }
}
