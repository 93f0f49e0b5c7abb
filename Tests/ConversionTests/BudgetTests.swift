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

    @Test func aTableComesBackFromItsFile() throws {
        let table = try Self.table(seed: 7)
        let read = try SensitivityTable(
            json: JSON(parsing: table.json.bytes(), subject: "table"), subject: "table")
        #expect(read == table)
    }

    @Test(arguments: [
        "{}", "[1]", #"{"schema": 2, "tensors": []}"#, #"{"schema": 1, "tensors": [{}]}"#,
        #"{"schema": 1, "tensors": [{"name": "a", "weights": 1, "divergence_per_error": -1, "errors": {}}]}"#,
        #"{"schema": 1, "tensors": [{"name": "a", "weights": 1, "divergence_per_error": 1, "errors": {"Q9": 1}}]}"#,
        #"{"schema": 1, "tensors": [{"name": "a", "weights": 1, "divergence_per_error": 1, "errors": {"Q8_0": 1e999}}]}"#,
    ]) func tablesThatAreNoneAreRefused(text: String) throws {
        #expect(throws: FormatError.self) {
            try SensitivityTable(
                json: JSON(parsing: Array(text.utf8), subject: "table"), subject: "table")
        }
    }
}
