import ByteIO
import BundledData
import Detent
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Runs `body` with a folder that is gone afterwards.
func withFolder(_ body: (String) throws -> Void) throws {
    var template = Array("\(temporaryFolder)/detent-test-XXXXXX".utf8CString)
    let path = String(cString: try #require(mkdtemp(&template)))
    defer { remove(folder: path) }
    try body(path)
}

private let temporaryFolder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"

private func remove(folder: String) {
    for name in (try? FileSystem.names(inFolder: folder)) ?? [] {
        let path = "\(folder)/\(name)"
        if FileSystem.isFolder(path) { remove(folder: path) } else { unlink(path) }
    }
    rmdir(folder)
}

@discardableResult
func convert(_ input: String, to output: String, _ recipe: Recipe = Recipe()) throws
    -> ConversionSummary
{
    try ConversionPlan(input: ModelFile.open(input), outputPath: output, recipe: recipe).execute()
}

private func tensorBytes(_ path: String) throws -> [String: [UInt8]] {
    Dictionary(
        uniqueKeysWithValues: try ModelFile.open(path).tensors.map {
            ($0.descriptor.name, try $0.bytes())
        })
}

@Test func aModelComesBackFromGGUFBitForBit() throws {
    try withFolder { folder in
        try convert(BundledData.defaultModelPath, to: "\(folder)/model.gguf")
        try convert("\(folder)/model.gguf", to: "\(folder)/back")
        #expect(
            try tensorBytes("\(folder)/back") == tensorBytes(BundledData.defaultModelPath))
        let original = try LanguageModel(ModelFile.open(BundledData.defaultModelPath))
        let back = try LanguageModel(ModelFile.open("\(folder)/back"))
        #expect(back.description == original.description)
    }
}

@Test(
    .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
    arguments: ["llama", "llama-tied-bf16", "llama3-rope"])
func everyDialectComesBackBitForBit(name: String) throws {
    let source = Repository.shared("arch/\(name)")
    try withFolder { folder in
        try convert(source, to: "\(folder)/model.gguf")
        try convert("\(folder)/model.gguf", to: "\(folder)/back/model.safetensors")
        #expect(try tensorBytes("\(folder)/back") == tensorBytes(source))
        let original = try LanguageModel(ModelFile.open(source))
        let back = try LanguageModel(ModelFile.open("\(folder)/back"))
        #expect(back.description.rotary?.scaling == original.description.rotary?.scaling)
    }
}

@Test func copyingAGGUFChangesNothing() throws {
    try withFolder { folder in
        try convert(BundledData.defaultModelPath, to: "\(folder)/a.gguf")
        try convert("\(folder)/a.gguf", to: "\(folder)/b.gguf")
        #expect(
            try MappedFile.contents(ofFile: "\(folder)/a.gguf")
                == MappedFile.contents(ofFile: "\(folder)/b.gguf"))
    }
}

@Test(arguments: [nil, 100_000]) func shardsHoldTheSameTensors(maximum: Int?) throws {
    try withFolder { folder in
        var recipe = Recipe()
        recipe.maximumShardByteCount = maximum
        try convert(BundledData.defaultModelPath, to: "\(folder)/out", recipe)
        #expect(try tensorBytes("\(folder)/out") == tensorBytes(BundledData.defaultModelPath))
    }
}

@Test func theInputIsNeverTheOutput() throws {
    try withFolder { folder in
        let path = "\(folder)/model.gguf"
        try convert(BundledData.defaultModelPath, to: path)
        try FileSystem.names(inFolder: folder).forEach { #expect($0 == "model.gguf") }
        symlink(path, "\(folder)/link.gguf")
        link(path, "\(folder)/hard.gguf")
        for output in [path, "\(folder)/link.gguf", "\(folder)/hard.gguf"] {
            #expect(throws: ModelError.self) { try convert(path, to: output) }
        }
    }
}

@Test func aFolderOfAnotherModelIsLeftAlone() throws {
    try withFolder { folder in
        let config = try OutputFile(path: "\(folder)/config.json")
        try config.write(Array("{}".utf8), at: 0)
        try config.commit()
        try convert(BundledData.defaultModelPath, to: "\(folder)/model.gguf")
        #expect(throws: ModelError.self) {
            try convert("\(folder)/model.gguf", to: "\(folder)/model.safetensors")
        }
        #expect(try FileSystem.names(inFolder: folder) == ["config.json", "model.gguf"])
    }
}
