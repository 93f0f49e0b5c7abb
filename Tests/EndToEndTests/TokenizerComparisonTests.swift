import BundledData
import ByteIO
import Detent
import TensorIR
import TestSupport
import Testing

@testable import Conversion
@testable import Tokenization

@Suite struct TokenizerComparisonTests {
    /// Each change makes another tokenizer of the bundled one; none may go unnoticed.
    @Test(
        arguments: [
            { $0.preTokenizer = [.byteLevel(addsPrefixSpace: false, usesExpression: false)] },
            { $0.preTokenizer = [.byteLevel(addsPrefixSpace: true, usesExpression: true)] },
            { $0.normalizers = $0.normalizers.isEmpty ? [.nfc] : [] },
            { $0.merges.removeFirst(200) },
            { $0.prefix.append(0) },
            { $0.tokens.swapAt(300, 301) },
        ] as [@Sendable (inout TokenizerDefinition) -> Void])
    func seesEveryDifference(change: @Sendable (inout TokenizerDefinition) -> Void) throws {
        let tokenizer = try ModelFile.tokenizer(BundledData.defaultModelPath)
        var definition = tokenizer.definition
        func difference() throws -> String? {
            // As a conversion compares: with the tables of the first, where they are the same.
            let other = try Tokenizer(definition, sharing: tokenizer)
            return try TokenizerComparison(source: tokenizer, other: other).firstDifference()
        }
        #expect(try difference() == nil)
        change(&definition)
        #expect(try difference() != nil)
    }

    /// Tables are only taken from a tokenizer that has the same ones.
    @Test(
        arguments: [
            { _ in }, { $0.merges.swapAt(10, 400) }, { $0.ignoresMerges.toggle() },
            { $0.tokens.swapAt(300, 301) }, { $0.types[300] = .unused },
            { $0.preTokenizer = [.byteLevel(addsPrefixSpace: true, usesExpression: true)] },
        ] as [@Sendable (inout TokenizerDefinition) -> Void])
    func sharingTablesChangesNothing(change: @Sendable (inout TokenizerDefinition) -> Void) throws {
        let tokenizer = try ModelFile.tokenizer(BundledData.defaultModelPath)
        var definition = tokenizer.definition
        change(&definition)
        let comparison = TokenizerComparison(
            source: try Tokenizer(definition),
            other: try Tokenizer(definition, sharing: tokenizer))
        #expect(try comparison.firstDifference() == nil)
    }

    @Test(arguments: ["model.gguf", "folder"])
    func nothingIsLeftWhereTheWrittenTokenizerDiffers(name: String) throws {
        try withFolder { folder in
            let source = "\(folder)/source.gguf"
            try convert(BundledData.defaultModelPath, to: source)
            let input = try ModelFile.open(
                name == "folder" ? source : BundledData.defaultModelPath)
            var plan = try ConversionPlan(
                input: input, outputPath: "\(folder)/\(name)", recipe: Recipe())
            plan.metadata["tokenizer.ggml.pre"] = .string("viking")
            let document = plan.documents["tokenizer.json"].map { bytes in
                String(decoding: bytes, as: UTF8.self)
            }
            plan.documents["tokenizer.json"] = document.map { text in
                Array(
                    text.replacing(
                        "\"ByteLevel\",", with: "\"WhitespaceSplit\",", maxReplacements: 1
                    ).utf8)
            }
            #expect(throws: ModelError.self) { try plan.execute() }
            #expect(try FileSystem.names(inFolder: folder) == ["source.gguf"])
        }
    }
}
