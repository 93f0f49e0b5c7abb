import BundledData
import ByteIO
import Detent
import TestSupport
import Testing

private let notANumber: UInt16 = 0x7FC0
private let infinity: UInt16 = 0xFF80
private let million: UInt16 = 0x4974

/// The bundled model with some elements of a tensor replaced, each by its bits in BF16.
private func model(_ name: String, _ elements: [Int: UInt16]) throws -> Checkpoint {
    var checkpoint = try ModelFile.open(BundledData.defaultModelPath)
    try replace(name, elements, in: &checkpoint)
    return checkpoint
}

private func replace(
    _ name: String, _ elements: [Int: UInt16], in checkpoint: inout Checkpoint
) throws {
    let index = try #require(checkpoint.tensors.firstIndex { $0.descriptor.name == name })
    var bytes = try checkpoint.tensors[index].bytes()
    for (element, bits) in elements {
        bytes[2 * element] = UInt8(truncatingIfNeeded: bits)
        bytes[2 * element + 1] = UInt8(bits >> 8)
    }
    checkpoint.tensors[index] = BufferedTensor(checkpoint.tensors[index].descriptor, bytes: bytes)
}

private func recipe(
    _ method: Recipe.Method, awq: Bool = false, rotated: Bool = false, type: BlockEncoding = .q4_0
) -> Recipe {
    var recipe = Recipe(encoding: .block(type), method: method)
    recipe.scalesChannels = awq
    recipe.rotationSeed = rotated ? 1 : nil
    recipe.calibrationWindows = [Array(100..<132)]
    return recipe
}

private let recipes: [Recipe] = [
    recipe(.rtn), recipe(.gptq), recipe(.rtn, awq: true), recipe(.gptq, awq: true),
    recipe(.gptq, rotated: true), recipe(.rtn, type: .iq2_s),
]

/// Row 70 is another one in the output, where rotations pair other rows; a vector and the embedding that is
/// looked up spoil what comes behind them, and are copied by some recipes.
@Test(
    arguments: [
        ("model.layers.1.self_attn.q_proj.weight", 70, 11, notANumber),
        ("model.layers.1.input_layernorm.weight", 0, 9, notANumber),
        ("model.embed_tokens.weight", 100, 3, infinity),
    ], recipes.indices)
func aWeightThatIsNoNumberIsRefusedByNameAndPlace(
    culprit: (tensor: String, row: Int, column: Int, bits: UInt16), recipe: Int
) throws {
    let input = try model(culprit.tensor, [culprit.row * 256 + culprit.column: culprit.bits])
    try withFolder { folder in
        let path = "\(folder)/out.gguf"
        let error = try #require(throws: TensorQuantizationError.self) {
            try ConversionPlan(input: input, outputPath: path, recipe: recipes[recipe]).execute()
        }
        #expect(error.tensor == culprit.tensor)
        #expect(
            error.error == .nonFiniteWeight(row: culprit.row, column: culprit.column))
        #expect(!FileSystem.exists(path))
    }
}

@Test func nothingIsMeasuredOnAWeightThatIsNoNumber() throws {
    let bad = try LanguageModel(model("model.norm.weight", [3: notANumber]))
    #expect(throws: TensorQuantizationError.self) {
        try SensitivityTable.measure(bad, recipe: recipe(.rtn), candidates: [.block(.q4_0)])
    }
    #expect(throws: TensorQuantizationError.self) {
        try ImportanceMatrix.collected(from: bad, windows: [Array(0..<8)], dataset: "none")
    }
}

/// Weights that are finite, but so large that what they make of the text is not.
@Test func nothingIsMeasuredOnPredictionsThatOverflow() throws {
    let row = Dictionary(uniqueKeysWithValues: (0..<256).map { (4 * 256 + $0, UInt16(0x7E96)) })
    let model = try LanguageModel(model("model.layers.1.mlp.up_proj.weight", row))
    #expect(throws: ModelError.self) {
        try SensitivityTable.measure(model, recipe: recipe(.rtn), candidates: [.block(.q4_0)])
    }
}

@Test func aCopyKeepsWhatItIsGiven() throws {
    let input = try model("model.norm.weight", [3: notANumber])
    try withFolder { folder in
        let path = "\(folder)/copy.gguf"
        _ = try ConversionPlan(input: input, outputPath: path, recipe: Recipe()).execute()
        let written = try LanguageModel(ModelFile.open(path))
        #expect(try written.tensors[TensorRole(.outputNorm)]?.floats()[3].isNaN == true)
    }
}

/// What halves cannot hold, as weights or as scales, becomes no infinity.
@Test(arguments: [
    (Encoding.scalar(.f16), Recipe.Method.encode), (.block(.q8_0), .encode), (.block(.q4_0), .rtn),
    (.block(.q4_0), .gptq),
]) func aWeightBeyondHalfPrecisionIsRefused(type: Encoding, method: Recipe.Method) throws {
    let input = try model("model.layers.0.mlp.down_proj.weight", [5 * 768 + 7: million])
    try withFolder { folder in
        var recipe = Recipe(encoding: type, method: method)
        recipe.calibrationWindows = [Array(100..<132)]
        let error = try #require(throws: TensorQuantizationError.self) {
            try ConversionPlan(
                input: input, outputPath: "\(folder)/out.gguf", recipe: recipe
            ).execute()
        }
        #expect(error.error == .weightTooLarge(row: 5, column: 7, encoding: "\(type)"))
    }
}

/// A layer whose matrices all read zeros, and one where two columns of three matrices do.
@Test(arguments: [Recipe.Method.rtn, .gptq])
func matricesAndColumnsWhoseInputsAreZeroAreNamedOrCounted(method: Recipe.Method) throws {
    let zeros = Dictionary(uniqueKeysWithValues: (0..<256).map { ($0, UInt16(0)) })
    var input = try model("model.layers.1.input_layernorm.weight", zeros)
    try replace("model.layers.2.input_layernorm.weight", [3: 0, 50: 0], in: &input)
    try withFolder { folder in
        var recipe = recipe(method, type: .q8_0)
        func execute() throws -> ConversionSummary {
            try ConversionPlan(
                input: input, outputPath: "\(folder)/out.gguf", recipe: recipe
            ).execute()
        }
        func names(_ layer: Int, _ parts: [String]) -> Set<String> {
            Set(parts.map { "blk.\(layer).attn_\($0).weight" })
        }
        let matrices = try execute().matrices
        let named = matrices.filter { $0.report.fallback == .noActivations }
        #expect(Set(named.map(\.name)) == names(1, ["q", "k", "v", "output"]))
        #expect(matrices.count { $0.report.fallback != nil } == named.count)
        guard method == .gptq else {
            recipe.isStrict = true
            let error = try #require(throws: ModelError.self) { try execute() }
            #expect(error.description.hasSuffix("(and 3 more)"))
            return
        }
        let counted = matrices.filter { $0.report.deadColumnCount == 2 }
        #expect(Set(counted.map(\.name)) == names(2, ["q", "k", "v"]))
    }
}
