import Architectures
import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import Conversion

/// What a budget is spent on, with losses made up: 4 to the power of minus the bits, by matrices of very
/// different weight.
@Suite struct BudgetTests {
    private static let model = "\(Repository.root)/Calibration/detent-tiny"

    private static func table(seed: UInt64) throws -> SensitivityTable {
        var generator = SeededGenerator(seed: seed)
        var table = try SensitivityTable.unmeasured(
            LanguageModel(ModelFile.open(model)), candidates: SensitivityTable.candidates)
        for name in table.entries.keys.sorted(by: { $0.string < $1.string }) {
            guard let entry = table.entries[name] else { continue }
            let errors = entry.errors.keys.map { ($0, 1 / Double(1 << Int(2 * $0.bitsPerWeight))) }
            table.entries[name] = SensitivityTable.Entry(
                weightCount: entry.weightCount,
                divergencePerError: Double.random(in: 0.01...10, using: &generator),
                errors: Dictionary(uniqueKeysWithValues: errors))
        }
        return table
    }

    private static func plan(
        _ size: Budget.Size, seed: UInt64 = 1, at path: String = "out.gguf",
        _ change: (inout Recipe) -> Void = { _ in }
    ) throws -> ConversionPlan {
        var recipe = Recipe()
        recipe.budget = Budget(size: size, sensitivities: try table(seed: seed))
        change(&recipe)
        return try ConversionPlan(
            input: ModelFile.open(model), outputPath: path, recipe: recipe)
    }

    @Test(arguments: [2.5, 3, 3.7, 4.5, 5, 6, 7.3, 8, 9.5, 12], [1, 2, 3])
    func aBudgetIsUsedAndNeverExceeded(bitsPerWeight: Double, seed: UInt64) throws {
        let plan = try Self.plan(.bitsPerWeight(bitsPerWeight), seed: seed)
        let allocation = try #require(plan.allocation)
        #expect(allocation.fileByteCount <= allocation.budgetByteCount)
        #expect(Double(allocation.fileByteCount) >= 0.995 * Double(allocation.budgetByteCount))
    }

    @Test(arguments: [2_200_000, 2_389_312, 3_000_001])
    func theFileIsAsLargeAsThePlanSays(byteCount: Int) throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/out.gguf"
        let plan = try Self.plan(.bytes(byteCount), at: path) {
            // Encoders that a debug build is quick with.
            $0.budget?.encodings = [.block(.q4_0), .block(.q5_0), .block(.q8_0)]
        }
        _ = try plan.execute()
        let size = try MappedFile.contents(ofFile: path).count
        #expect(size == plan.allocation?.fileByteCount)
        #expect(size <= byteCount)
    }

    @Test func whatTheUserDecidedIsNotTheBudgets() throws {
        let plan = try Self.plan(.bitsPerWeight(4)) {
            $0.types.overrides = [TensorTypes.Override(pattern: "attn_v", encoding: .block(.q8_0))]
            $0.types.embedding = .block(.q6_K)
        }
        for tensor in plan.tensors {
            let name = tensor.target.name
            if name.contains("attn_v") { #expect(tensor.target.encoding == .block(.q8_0)) }
            if name == "token_embd.weight" { #expect(tensor.target.encoding == .block(.q6_K)) }
        }
        let allocation = try #require(plan.allocation)
        #expect(allocation.fileByteCount <= allocation.budgetByteCount)
    }

    @Test func onlyAllowedEncodingsAreChosen() throws {
        let allowed: Set<Encoding> = [.block(.q4_K), .block(.q6_K)]
        let plan = try Self.plan(.bitsPerWeight(5.5)) { $0.budget?.encodings = allowed }
        let chosen = Set(plan.tensors.map(\.target.encoding)).subtracting([.scalar(.f32)])
        #expect(chosen == allowed)
    }

    @Test func aBudgetThatNothingFitsInIsRefused() throws {
        #expect(throws: ModelError.self) { try Self.plan(.bytes(100_000)) }
    }

    @Test func sensitivitiesOfAnotherModelAreRefused() throws {
        #expect(throws: ModelError.self) {
            try Self.plan(.bitsPerWeight(5)) {
                $0.budget?.sensitivities.entries["blk.0.attn_v.weight"] = nil
            }
        }
    }

    @Test func aTableOfOtherWeightsOrAnotherTextIsRefused() throws {
        func plan(_ path: String, _ origin: SensitivityTable.Origin) throws -> ConversionPlan {
            var recipe = Recipe()
            recipe.calibrationDigest = "a text"
            var table = try Self.table(seed: 1)
            table.origin = origin
            recipe.budget = Budget(size: .bitsPerWeight(5), sensitivities: table)
            return try ConversionPlan(
                input: ModelFile.open(path), outputPath: "out.gguf", recipe: recipe)
        }
        let digest = try LanguageModel(ModelFile.open(Self.model)).weightDigest()
        func origin(_ digest: String, _ text: String?) -> SensitivityTable.Origin {
            SensitivityTable.Origin(modelDigest: digest, textDigest: text)
        }
        _ = try plan(Self.model, origin(digest, "a text"))
        _ = try plan(Self.model, origin(digest, nil))
        for wrong in [origin("others", "a text"), origin(digest, "another text")] {
            #expect(throws: ModelError.self) { try plan(Self.model, wrong) }
        }
    }

    @Test func theWeightDigestIsOfValuesAndNotOfFiles() throws {
        func digest(_ checkpoint: Checkpoint) throws -> String {
            try LanguageModel(checkpoint).weightDigest()
        }
        let folder = try TemporaryFolder()
        func converted(_ type: ScalarType) throws -> String {
            let path = "\(folder.path)/\(type).gguf"
            _ = try ConversionPlan(
                input: ModelFile.open(Self.model), outputPath: path,
                recipe: Recipe(encoding: .scalar(type))
            ).execute()
            return try digest(ModelFile.open(path))
        }
        // What the specification says, computed from it by `Vectors/weight_digest.py`.
        let original = try digest(ModelFile.open(Self.model))
        #expect(original == "7f9924d23831cd0ba96eba36c7338994affbfedfd696f4a212cd7bb63f76c3c2")
        #expect(try converted(.bf16) == original)
        #expect(try converted(.f32) == original)
        #expect(try converted(.f16) == original)

        var other = try ModelFile.open(Self.model)
        let index = try #require(
            other.tensors.firstIndex { $0.descriptor.name.hasSuffix("0.mlp.up_proj.weight") })
        var bytes = try other.tensors[index].bytes()
        bytes[0] ^= 1
        other.tensors[index] = BufferedTensor(other.tensors[index].descriptor, bytes: bytes)
        #expect(try digest(other) != original)
    }

    @Test func aTableComesBackFromItsFile() throws {
        var table = try Self.table(seed: 7)
        table.origin = SensitivityTable.Origin(modelDigest: "weights", textDigest: "text")
        let read = try SensitivityTable(
            json: JSON(parsing: table.json.bytes(), subject: "table"), subject: "table")
        #expect(read == table)
    }

    @Test(arguments: [
        "{}", "[1]", #"{"schema": 2, "tensors": []}"#,
        #"{"schema": 2, "model": "a", "tensors": [{}]}"#,
        #"{"schema": 2, "model": "a", "tensors": [{"name": "a", "weights": 1, "divergence_per_error": -1, "errors": {}}]}"#,
        #"{"schema": 2, "model": "a", "tensors": [{"name": "a", "weights": 1, "divergence_per_error": 1, "errors": {"Q9": 1}}]}"#,
        #"{"schema": 2, "model": "a", "tensors": [{"name": "a", "weights": 1, "divergence_per_error": 1, "errors": {"Q8_0": 1e999}}]}"#,
    ]) func tablesThatAreNoneAreRefused(text: String) throws {
        #expect(throws: FormatError.self) {
            try SensitivityTable(
                json: JSON(parsing: Array(text.utf8), subject: "table"), subject: "table")
        }
    }

    @Test(arguments: [1, 3]) func tablesOfAnotherSchemaAreRefusedAsSuch(schema: Int) throws {
        let error = try #require(throws: FormatError.self) {
            try SensitivityTable(
                json: ["schema": .integer(schema), "tensors": []], subject: "table")
        }
        #expect(error.code == .unsupportedVersion)
    }
}
