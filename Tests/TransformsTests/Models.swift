import Architectures
import Conversion
import Inference
import Kernels
import TestSupport
import Testing

/// One model of each family that the shared material has.
let models = [
    "bloom", "gemma2", "gemma3", "gpt-neox", "gpt2", "llama", "llama-tied-bf16", "llama3-rope",
    "mistral-swa", "mixtral", "phi3", "qwen2", "qwen3", "qwen3-moe",
].map { "arch/\($0)" }

/// What two correct orders of rounding may differ by, relative to the spread of the logits.
let roundingTolerance = 1e-4

func languageModel(_ path: String) throws -> LanguageModel {
    try LanguageModel(ModelFile.open(Repository.shared(path)))
}

/// The largest difference between the logits of two models, in standard deviations of the first one's.
func difference(_ model: LanguageModel, _ other: LanguageModel) throws -> Double {
    try difference(DecoderWeights(model), DecoderWeights(other))
}

func difference(_ weights: DecoderWeights, _ others: DecoderWeights) throws -> Double {
    let vocabulary = Int32(weights.description.vocabularySize)
    let batch = TokenBatch([
        (0..<24).map { ($0 * 37 + 5) % vocabulary }, (0..<24).map { ($0 * 11 + 1) % vocabulary },
    ])
    let expected = try logits(weights, batch)
    let found = try logits(others, batch)
    let mean = expected.reduce(0.0) { $0 + Double($1) } / Double(expected.count)
    let variance = expected.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = (variance / Double(expected.count)).squareRoot()
    let worst = zip(expected, found).map { abs(Double($0) - Double($1)) }.max() ?? .infinity
    return worst / deviation
}

private func logits(_ weights: DecoderWeights, _ batch: TokenBatch) throws -> [Float] {
    let decoder = try Decoder(
        weights, positionCount: batch.sequenceLength, workers: Workers(threadCount: 2))
    let hidden = try decoder.hiddenStates(of: batch)
    let logits = Matrix(rows: hidden.rows, columns: weights.description.vocabularySize)
    try decoder.logits(of: hidden, rows: Array(0..<hidden.rows), into: logits.elements)
    return Array(logits.elements)
}
