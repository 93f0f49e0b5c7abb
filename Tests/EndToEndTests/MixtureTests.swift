import ByteIO
import Detent
import TestSupport
import Testing

/// Two tokens: of eight experts, most are reached by neither.
private func recipe(_ method: Recipe.Method) -> Recipe {
    var recipe = Recipe(encoding: .block(.q4_0), method: method)
    recipe.calibrationWindows = [[17, 42]]
    return recipe
}

@Test(
    .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
    arguments: [("qwen3-moe", 8), ("mixtral", 4)], [Recipe.Method.rtn, .gptq])
func expertsThatNoTokenReachedAreQuantizedAndNamed(
    model: (name: String, expertCount: Int), method: Recipe.Method
) throws {
    try withFolder { folder in
        let summary = try convert(
            Repository.shared("arch/\(model.name)"), to: "\(folder)/out.gguf", recipe(method))
        let perLayer = 4 + 3 * model.expertCount
        #expect(summary.matrices.count { $0.role.layer != nil } == 2 * perLayer)
        #expect(summary.fallbacks.isEmpty)

        // Two tokens that visit two experts each leave at least four of eight, and may leave none of four.
        let unreached = summary.unreachedExperts
        if model.expertCount == 8 { #expect(unreached.count >= 2 * 4) }
        for expert in unreached {
            let matrices = summary.matrices.filter {
                $0.role.layer == expert.layer && $0.role.expert == expert.expert
            }
            #expect(
                matrices.map(\.role.module).sorted { "\($0)" < "\($1)" } == [.down, .gate, .up])
        }

        // Reached or not, every expert's weights are near what they were.
        let source = try LanguageModel(ModelFile.open(Repository.shared("arch/\(model.name)")))
        let written = try LanguageModel(ModelFile.open("\(folder)/out.gguf"))
        for (role, tensor) in source.tensors where role.expert != nil {
            let quantized = try #require(written.tensors[role])
            let codec = try RowCodec(.block(.q4_0), columns: tensor.descriptor.columns)
            var decoded = [Float](repeating: 0, count: tensor.descriptor.count)
            try quantized.withBytes(rows: 0..<tensor.descriptor.rows) { bytes in
                decoded.withUnsafeMutableBufferPointer { codec.decode(bytes, into: $0) }
            }
            let weights = try tensor.floats()
            let error = zip(decoded, weights).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let power = weights.reduce(0) { $0 + $1 * $1 }
            #expect(error < 0.03 * power)
        }
    }
}
