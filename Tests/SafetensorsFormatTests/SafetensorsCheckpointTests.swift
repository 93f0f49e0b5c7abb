import ByteIO
import SafetensorsFormat
import TensorIR
import TestSupport
import Testing

@Suite struct SafetensorsCheckpointTests {
    private func write(_ names: [String], into folder: TemporaryFolder) throws {
        for name in names {
            let tensor = try seededTensor("w.\(name)", [2], .scalar(.f16))
            try SafetensorsWriter(path: folder.path(name), descriptors: [tensor.descriptor])
                .writeEverything([tensor])
        }
    }

    @Test func takesTheDocumentsBesideTheWeights() throws {
        let folder = try TemporaryFolder()
        try write(["model.safetensors"], into: folder)
        try folder.write(Array("{}".utf8), to: "config.json")
        try folder.write([], to: "merges.txt")
        try folder.write(Array("# no".utf8), to: "README.md")
        try FileSystem.createFolder(folder.path("tokenizer.json"))
        for path in [folder.path, folder.path + "/", folder.path("model.safetensors")] {
            let checkpoint = try SafetensorsCheckpoint.open(path: path)
            #expect(checkpoint.documents == ["config.json": Array("{}".utf8), "merges.txt": []])
            #expect(checkpoint.dialect == .huggingFace)
            #expect(checkpoint.path == path)
            #expect(
                checkpoint.byteCount == FileSystem.byteCount(folder.path("model.safetensors")))
        }
    }

    @Test func takesTheOnlyFileOfAFolder() throws {
        let folder = try TemporaryFolder()
        try write(["adapter.safetensors", ".hidden.safetensors"], into: folder)
        #expect(
            try SafetensorsCheckpoint.open(path: folder.path).tensors.map(\.descriptor.name)
                == ["w.adapter.safetensors"])
    }

    @Test(arguments: [[], ["a.safetensors", "b.safetensors"]])
    func refusesAFolderWithoutOneAnswer(_ names: [String]) throws {
        let folder = try TemporaryFolder()
        try write(names, into: folder)
        let error = #expect(throws: FormatError.self) {
            try SafetensorsCheckpoint.open(path: folder.path)
        }
        #expect(error?.code == .missing)
        #expect(error?.path == folder.path)
    }

    @Test func saysWhichFileCannotBeOpened() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: SystemError.self) {
            try SafetensorsCheckpoint.open(path: folder.path("absent.safetensors"))
        }
        #expect(error?.description.contains("absent.safetensors") == true)
    }

    @Test func namesInErrorsCannotReachTheTerminal() throws {
        let folder = try TemporaryFolder()
        let header = #"{"\u001b[31mx":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#
        try folder.write(ByteBuilder.safetensors(header, dataByteCount: 1), to: "m.safetensors")
        let error = #expect(throws: FormatError.self) {
            try SafetensorsFile(path: folder.path("m.safetensors"))
        }
        #expect(error?.description.contains("\u{1B}") == false)
        #expect(error?.description.contains(#"tensor '\u{1b}[31mx'"#) == true)
        #expect(error?.description.contains("dtype 'F4' is not supported") == true)
    }

    @Test(arguments: [
        (ByteBuilder.safetensors("{}"), true), (Array("GGUF\u{3}\0\0\0{".utf8), false),
        ([], false), (Array("PK\u{3}\u{4}.......".utf8), false),
        (ByteBuilder.safetensors(""), false),
    ]) func tellsItsFilesFromOthers(bytes: [UInt8], expected: Bool) {
        #expect(bytes.withUnsafeBytes(SafetensorsFile.looksLike) == expected)
    }

    /// Files by the reference implementation, read and written again, are the same files.
    @Test(
        .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
        arguments: ["llama", "llama-tied-bf16", "gpt2", "mixtral"])
    func rewritesModelsByteForByte(_ name: String) throws {
        let path = Repository.shared("arch/\(name)/model.safetensors")
        let file = try SafetensorsFile(path: path)
        let folder = try TemporaryFolder()
        try SafetensorsWriter(
            path: folder.path("m"), descriptors: file.tensors.map(\.descriptor),
            metadata: file.metadata
        ).writeEverything(file.tensors)
        #expect(try MappedFile.contents(ofFile: folder.path("m")) == [UInt8](file.file.bytes))
    }
}
