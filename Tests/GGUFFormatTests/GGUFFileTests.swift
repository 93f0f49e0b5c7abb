import ByteIO
import GGUFFormat
import TensorIR
import TestSupport
import Testing

@Suite struct GGUFFileTests {
    static let vocabularies = ["bert-bge", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2"]

    /// Every key, value and type survives; so does every byte of the file.
    @Test(
        .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
        arguments: vocabularies)
    func rewritesVocabulariesOfLlamaCppByteForByte(_ name: String) throws {
        let file = try GGUFFile(
            path: Repository.shared("tokenizers/llama.cpp/ggml-vocab-\(name).gguf"))
        let folder = try TemporaryFolder()
        try GGUFWriter(path: folder.path("v.gguf"), metadata: file.metadata, descriptors: [])
            .writeEverything([])
        #expect(try MappedFile.contents(ofFile: folder.path("v.gguf")) == [UInt8](file.file.bytes))
    }

    @Test func tellsItsFilesFromOthers() {
        #expect(Array("GGUF".utf8).withUnsafeBytes(GGUFFile.looksLike))
        #expect(!Array("GGU".utf8).withUnsafeBytes(GGUFFile.looksLike))
        #expect(!Array("GGML....".utf8).withUnsafeBytes(GGUFFile.looksLike))
    }

    @Test func errorsNameTheFileTheFieldAndTheByte() throws {
        let folder = try TemporaryFolder()
        var builder = ByteBuilder()
        builder.raw(GGUF.magic)
        builder.integer(3 as UInt32)
        builder.integer(0 as UInt64)
        builder.integer(1 as UInt64)
        builder.string("k\u{1B}")
        builder.integer(8 as UInt32)
        builder.integer(1000 as UInt64)
        let path = try folder.write(builder.bytes, to: "bad.gguf")
        let error = #expect(throws: FormatError.self) { try GGUFFile(path: path) }
        #expect(
            error?.description
                == "\(path): 'k\\u{1b}': claims 1000 elements, 0 bytes remain (byte 46)")
    }

    @Test func onlyOneFunctionKnowsTheOtherOrderOfDimensions() throws {
        let folder = try TemporaryFolder()
        let tensor = try seededTensor("x", [3, 2, 64], .block(.q4_0))
        try GGUFWriter(path: folder.path("x"), metadata: [:], descriptors: [tensor.descriptor])
            .writeEverything([tensor])
        let bytes = try MappedFile.contents(ofFile: folder.path("x"))
        // 24 bytes of start, a name of 8 + 1, the number of dimensions; then 64, 2, 3.
        let dimensions: [UInt8] = [64] + zeros(7) + [2] + zeros(7) + [3] + zeros(7)
        #expect(Array(bytes[37..<61]) == dimensions)
        #expect(try GGUFFile(path: folder.path("x")).tensors[0].descriptor.shape == [3, 2, 64])
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}
