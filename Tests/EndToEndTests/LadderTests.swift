import BundledData
import ByteIO
import Detent
import Evaluation
import Ladder
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The bundled model by some types, on little text.
@Suite struct LadderTests {
    private static func ladder(
        _ types: [FileType] = [.scalar(.f16), .mix(.q8_0), .mix(.q4_0)],
        _ methods: [QuantizationMethod] = [.rtn], windows: Int = 3
    ) throws -> Ladder {
        let model = try ModelFile.open(BundledData.defaultModelPath)
        let text = Ladder.Text(
            name: "text.txt",
            bytes: Array(
                String(repeating: "A notch rests the dial. Count to 1234, then stop. ", count: 60)
                    .utf8))
        var ladder = Ladder(
            Rung.all(types, by: methods), of: Ladder.Model(model, name: ""), text: text,
            evaluation: EvaluationPlan(convention: .halfWindow(context: 64), windowLimit: windows),
            version: "1", command: "detent report")
        ladder.calibration = Ladder.Calibration(
            text,
            windows: try CalibrationWindows(
                text: text.bytes, tokenizer: Tokenizer(checkpoint: model), length: 32, count: 2),
            length: 32, seed: nil)
        return ladder
    }

    /// Whatever would change if a file were written again.
    private static func identity(_ path: String) -> [Int] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        return [Int(status.st_ino), Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec)]
    }

    private static func identities(_ folder: String) throws -> [String: [Int]] {
        var found: [String: [Int]] = [:]
        for part in ["models", "state"] {
            for name in try FileSystem.names(inFolder: "\(folder)/\(part)") {
                found["\(part)/\(name)"] = identity("\(folder)/\(part)/\(name)")
            }
        }
        return found
    }

    @Test func whatIsDoneIsNotDoneAgain() throws {
        let folder = try TemporaryFolder()
        let ladder = try Self.ladder()
        let first = try ladder.run(in: LadderFolder(folder.path))
        let before = try Self.identities(folder.path)
        #expect(before.count == 6)
        let second = try ladder.run(in: LadderFolder(folder.path))
        #expect((second.keptFileCount, second.keptEvaluationCount) == (3, 3))
        #expect(try Self.identities(folder.path) == before)
        #expect(second.report == first.report)
    }

    @Test func aStepThatWasEndedIsDoneAndTheOthersAreNot() throws {
        let folder = try TemporaryFolder()
        let ladder = try Self.ladder()
        let first = try ladder.run(in: LadderFolder(folder.path))
        var before = try Self.identities(folder.path)
        // As if the process had been killed before the file had its name.
        try FileSystem.remove(folder.path("models/q8_0-rtn.gguf"))
        let partial = try folder.write([1, 2, 3], to: "models/.q8_0-rtn.gguf.1abc.partial")
        let second = try ladder.run(in: LadderFolder(folder.path))
        #expect(!FileSystem.exists(partial))
        #expect((second.keptFileCount, second.keptEvaluationCount) == (2, 2))
        var after = try Self.identities(folder.path)
        for name in ["models/q8_0-rtn.gguf", "state/q8_0-rtn.json"] {
            before[name] = nil
            after[name] = nil
        }
        #expect(after == before)
        #expect(second.report.entries.map(\.digest) == first.report.entries.map(\.digest))
        #expect(second.report.entries.map(\.figures) == first.report.entries.map(\.figures))
    }

    @Test func otherWindowsAreMeasuredAnewOnTheSameFiles() throws {
        let folder = try TemporaryFolder()
        _ = try Self.ladder().run(in: LadderFolder(folder.path))
        let second = try Self.ladder(windows: 2).run(in: LadderFolder(folder.path))
        #expect((second.keptFileCount, second.keptEvaluationCount) == (3, 0))
    }

    @Test func aFileThatWasChangedIsMadeAnew() throws {
        let folder = try TemporaryFolder()
        let ladder = try Self.ladder([.mix(.q8_0)])
        _ = try ladder.run(in: LadderFolder(folder.path))
        try folder.write([1, 2, 3], to: "models/q8_0-rtn.gguf")
        let second = try ladder.run(in: LadderFolder(folder.path))
        #expect(second.keptFileCount == 0)
        #expect(FileSystem.byteCount(folder.path("models/q8_0-rtn.gguf")) ?? 0 > 1_000_000)
    }

    @Test func aCheckMakesAbsentFilesAnewAndLeavesNothing() throws {
        let folder = try TemporaryFolder()
        let ladder = try Self.ladder([.mix(.q4_0)], [.rtn, .gptq])
        let report = try ladder.run(in: LadderFolder(folder.path)).report
        try FileSystem.remove(folder.path("models/q4_0-gptq.gguf"))
        let differences = try ladder.check(report, in: LadderFolder(folder.path))
        #expect(differences.isEmpty)
        #expect(try FileSystem.names(inFolder: folder.path("models")) == ["q4_0-rtn.gguf"])
        #expect(try FileSystem.names(inFolder: folder.path("state")).count == 2)
    }

    @Test func aCheckNamesWhatDiffers() throws {
        let folder = try TemporaryFolder()
        let ladder = try Self.ladder([.mix(.q4_0)], [.rtn])
        var report = try ladder.run(in: LadderFolder(folder.path)).report
        let name = folder.path("models/q4_0-rtn.gguf")
        var bytes = try MappedFile.contents(ofFile: name)
        for index in bytes.count / 2..<bytes.count / 2 + 20_000 { bytes[index] ^= 0x08 }
        try folder.write(bytes, to: "models/q4_0-rtn.gguf")
        try folder.write([], to: "report.md")
        let found = try ladder.check(report, in: LadderFolder(folder.path))
        #expect(found.first == "report.md is not what the report's data render to")
        #expect(found.contains { $0.hasPrefix("q4_0-rtn.gguf: the bytes' SHA-256 is") })
        #expect(found.contains { $0.hasPrefix("q4_0-rtn.gguf: perplexity is") })

        report.text.digest = String(repeating: "0", count: 64)
        let other = try ladder.check(report, in: LadderFolder(folder.path))
        #expect(other.count == 1 && other[0].hasPrefix("the text is another"))
    }

    @Test func methodsThatAreNoneForATypeAreStated() throws {
        let folder = try TemporaryFolder()
        let report = try Self.ladder([.mix(.q8_0), .scalar(.bf16)], [.rtn, .awq])
            .run(in: LadderFolder(folder.path)).report
        #expect(report.entries.map(\.title) == ["Q8_0 rtn", "Q8_0 awq", "BF16"])
        // What AWQ scales is no longer what the source has, and has no error against it.
        #expect(report.entries[1].tensors.allSatisfy { $0.squares == nil })
        #expect(report.entries[0].tensors.contains { $0.squares != nil })
    }

    /// Against what it kept, a model gets the figures that it gets against the reference itself.
    @Test func aReferenceThatRanBeforeGivesTheSameFigures() throws {
        let folder = try TemporaryFolder()
        let model = try LanguageModel(ModelFile.open(BundledData.defaultModelPath))
        let ids = (0..<400).map { Int32($0 * 7 % 900) }
        let plan = EvaluationPlan(convention: .halfWindow(context: 64))
        var recipe = Recipe(mix: .q4_0, method: .rtn)
        recipe.threadCount = 2
        let path = folder.path("q4.gguf")
        _ = try ConversionPlan(input: model.checkpoint, outputPath: path, recipe: recipe).execute()
        let copy = try LanguageModel(ModelFile.open(path))
        let expected = try plan.evaluate(copy, against: model, ids: ids, beginningOfText: nil)
        for _ in 0..<2 {
            let kept = try plan.keep(
                model, ids: ids, beginningOfText: nil, path: folder.path("kept"),
                key: String(repeating: "k", count: 64), progress: SilentProgress())
            let result = try plan.evaluate(
                copy, against: kept, ids: ids, beginningOfText: nil, progress: SilentProgress())
            #expect(result == expected)
        }
    }
}
