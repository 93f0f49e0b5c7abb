import ByteIO
import GGUFFormat
import TensorIR
import TestSupport
import Testing

@testable import Tokenization

/// What the `tokenizers` library and llama.cpp make of the same texts.
@Suite struct ReferenceTests {
    @Test(
        .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
        arguments: [
            "bpe-digits", "bpe-gpt2", "bpe-gpt2-prefix-space", "bpe-llama3", "bpe-qwen2-nfc",
            "spm-bpe-byte-fallback", "unigram-nfkc", "wordpiece-bert-uncased",
        ])
    func encodesAndDecodesAsTheTokenizersLibrary(name: String) throws {
        let folder = Repository.shared("tokenizers/\(name)")
        let definition = try definition("\(folder)/tokenizer.json")
        let tokenizer = try Tokenizer(definition)
        let cases = try document("\(folder)/cases.json").array ?? []
        #expect(cases.count > 100)
        for example in cases {
            let text = try #require(example["text"]?.string)
            let ids = try #require(example["ids"]).ids
            #expect(try tokenizer.encode(text) == ids, "\(text)")
            #expect(
                try tokenizer.encode(text, addSpecial: false) == example["ids_plain"]?.ids,
                "\(text)")
            #expect(tokenizer.decode(ids, skipSpecial: true) == example["decoded"]?.string)
        }
        // Through GGUF and from there to documents, nothing may change.
        let gguf = try TokenizerDefinition(gguf: definition.gguf().metadata)
        #expect(gguf == definition)
        let documents = gguf.huggingFaceDocuments()
        #expect(try TokenizerDefinition(tokenizer: json(documents["tokenizer.json"])).matches(gguf))
    }

    @Test(
        .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
        arguments: [
            ("gpt-2", false), ("llama-bpe", true), ("qwen2", false), ("llama-spm", true),
            ("phi-3", true), ("bert-bge", false),
        ])
    func encodesAsLlamaCPP(name: String, addsBOS: Bool) throws {
        let path = Repository.shared("tokenizers/llama.cpp/ggml-vocab-\(name).gguf")
        let tokenizer = try Tokenizer(checkpoint: GGUFCheckpoint.open(path: path))
        #expect(tokenizer.addsBOS == addsBOS)
        let texts = try text("\(path).inp").split("\n__ggml_vocab_test__\n")
        let lines = try text("\(path).out").split("\n")
        #expect(texts.count > 40)
        for (text, line) in zip(texts, lines) {
            let ids = line.split(separator: " ").compactMap { Int32($0) }
            #expect(try tokenizer.encode(text, addSpecial: false) == ids, "\(text)")
        }
    }

    @Test(
        .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
        arguments: [
            ("bpe-digits", "smollm"), ("bpe-gpt2", "gpt-2"), ("bpe-llama3", "llama-bpe"),
            ("bpe-qwen2-nfc", "qwen2"),
        ])
    func namesThePreTokenizerByWhatItDoes(name: String, expected: String) throws {
        let written = try definition(Repository.shared("tokenizers/\(name)/tokenizer.json")).gguf()
        #expect(written.metadata["tokenizer.ggml.pre"] == .string(expected))
        // llama.cpp normalizes nothing; that is all it does not know here.
        let difference = name.hasSuffix("nfc") ? #"{"normalizer":{"type":"NFC"}}"# : nil
        #expect(written.metadata["detent.tokenizer"]?.string == difference)
        #expect(written.notes.isEmpty == (difference == nil))
    }

    private func definition(_ path: String) throws -> TokenizerDefinition {
        var checkpoint = Checkpoint(path: path, dialect: .huggingFace, tensors: [])
        checkpoint.documents["tokenizer.json"] = try bytes(path)
        return try TokenizerDefinition(checkpoint: checkpoint)
    }

    private func document(_ path: String) throws -> JSON {
        try JSON(parsing: bytes(path), subject: path)
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }

    private func bytes(_ path: String) throws -> [UInt8] {
        let file = try MappedFile(path: path)
        return withExtendedLifetime(file) { [UInt8](file.bytes) }
    }
}

extension JSON {
    fileprivate var ids: [Int32] { (array ?? []).compactMap(\.integer).map { Int32($0) } }
}

extension String {
    /// Splits by bytes; by characters, `\r\n` would not contain the separator's `\n`.
    fileprivate func split(_ separator: String) -> [String] {
        let (bytes, marker) = (Array(utf8), Array(separator.utf8))
        var parts: [[UInt8]] = [[]]
        for byte in bytes {
            parts[parts.count - 1].append(byte)
            if parts[parts.count - 1].suffix(marker.count).elementsEqual(marker) {
                parts[parts.count - 1].removeLast(marker.count)
                parts.append([])
            }
        }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension TokenizerDefinition {
    /// Whether both encode alike; roles stand in another document.
    fileprivate func matches(_ other: TokenizerDefinition) -> Bool {
        var copy = self
        copy.specialTokens = other.specialTokens
        return copy == other
    }
}
