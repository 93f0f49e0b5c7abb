import Architectures
import ByteIO
import Kernels
import TensorIR
import Transforms

extension ConversionPlan {
    /// The model with its residual stream turned, or as it is without a seed.
    /// - Throws: `ModelError` for a model that cannot be turned, or not for this dialect.
    static func rotated(
        _ model: LanguageModel, seed: UInt64?, _ dialect: Checkpoint.Dialect
    ) throws -> LanguageModel {
        guard let seed else { return model }
        let rotation = try ResidualRotation(model.description, seed: seed)
        if rotation.unties, model.alwaysTiesOutput(in: dialect) {
            throw ModelError(
                "the residual stream of this model cannot be rotated for GGUF: llama.cpp takes the "
                    + "embedding of '\(model.family.modelType)' for its output; write a Hugging Face folder"
            )
        }
        try model.checkWeights(Workers())
        return try rotation.applied(to: model)
    }

    /// What was turned by what, and what that costs.
    func rotationNotes(from source: LanguageModel) -> [String] {
        guard let seed = recipe.rotationSeed, let model else { return [] }
        var notes = ["the residual stream is rotated, with seed \(seed)"]
        let output = tensors.first { $0.exported?.roles == [TensorRole(.output)] }
        if let output, source.isOutputTied(in: format.dialect),
            !model.isOutputTied(in: format.dialect)
        {
            notes.append(
                "the output matrix is no longer the embedding: \(output.target.byteCount) bytes more, "
                    + "as \(output.target.encoding)")
        }
        return notes
    }
}
