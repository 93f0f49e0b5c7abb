import Architectures
import Conversion
import Inference
import Kernels
import SafetensorsFormat
import TensorIR
import TestSupport
import Testing

/// Models with logits by transformers in single precision.
private let references = [
    "bloom", "gemma2", "gemma3", "gpt-neox", "gpt2", "llama", "llama-tied-bf16", "llama3-rope",
    "mistral-swa", "mixtral", "phi3", "qwen2", "qwen3", "qwen3-moe",
].map { "arch/\($0)" }

/// What two correct orders of addition may differ by, relative to the spread of the logits.
private let additionOrderTolerance = 1e-4

@Test(
    .enabled(if: Repository.hasShared, "needs the material beside the checkout"),
    arguments: references)
func logitsMatchTransformers(path: String) throws {
    try expectReferenceLogits(
        model: Repository.shared(path),
        reference: "\(Repository.shared(path))/reference.safetensors")
}

@Test func logitsOfTheBundledModelMatchTransformers() throws {
    let folder = "\(Repository.root)/Calibration/detent-tiny"
    try expectReferenceLogits(model: folder, reference: "\(folder)/reference.safetensors")
}

private func expectReferenceLogits(model: String, reference: String) throws {
    let file = try SafetensorsFile(path: reference)
    let (ids, logits) = (try file.integers("input_ids"), try file.floats("logits"))
    let decoder = try Decoder(
        LanguageModel(ModelFile.open(model)), positionCount: ids[0].count, workers: Workers())
    let computed = try decoder.allLogits(TokenBatch(ids))
    let mean = logits.reduce(0.0) { $0 + Double($1) } / Double(logits.count)
    let variance = logits.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = (variance / Double(logits.count)).squareRoot()
    let worst = zip(computed, logits).map { abs(Double($0) - Double($1)) }.max() ?? .infinity
    #expect(worst <= additionOrderTolerance * deviation)
}

private func tinyDecoder(threadCount: Int = 2, precision: Precision = .f32) throws -> Decoder {
    try Decoder(
        LanguageModel(ModelFile.open("\(Repository.root)/Calibration/detent-tiny")),
        positionCount: 64, workers: Workers(threadCount: threadCount), precision: precision)
}

private let someIds: [Int32] = (0..<40).map { ($0 * 37 + 5) % 2048 }

@Test func cachedStepsGiveTheLogitsOfTheWholeSequence() throws {
    let decoder = try tinyDecoder()
    let whole = try decoder.allLogits(TokenBatch([someIds]))
    let cache = try KVCache(for: decoder, capacity: 64)
    let vocabulary = decoder.description.vocabularySize
    var position = 0
    for step in [7, 1, 1, 20, 11] {
        let batch = TokenBatch(
            [Array(someIds[position..<position + step])], startPosition: position)
        let logits = try decoder.allLogits(batch, cache: cache)
        let expected = whole[position * vocabulary..<(position + step) * vocabulary]
        let worst = zip(logits, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(worst < 1e-4)
        position += step
    }
}

@Test func threadCountAndCompanyDoNotChangeABit() throws {
    let alone = try tinyDecoder(threadCount: 1).allLogits(TokenBatch([someIds]))
    #expect(try tinyDecoder(threadCount: 3).allLogits(TokenBatch([someIds])) == alone)
}

/// Sequences enough for several threads to have their own.
private let manySequences: [[Int32]] = (0..<70).map { sequence in
    someIds.map { ($0 + Int32(sequence) * 13) % 2048 }
}

@Test(arguments: Precision.allCases)
func sequencesThatThreadsShareHaveTheSameBitsOnAnyNumber(precision: Precision) throws {
    func states(threadCount: Int) throws -> [Float] {
        let decoder = try tinyDecoder(threadCount: threadCount, precision: precision)
        let states = try decoder.hiddenStates(ofSequences: manySequences)
        return withExtendedLifetime(states) { Array(states.elements) }
    }
    let alone = try states(threadCount: 1)
    #expect(try states(threadCount: 2) == alone)
    #expect(try states(threadCount: 5) == alone)
    let together = try tinyDecoder().hiddenStates(of: TokenBatch(manySequences))
    let worst = zip(alone, together.elements).map { abs($0 - $1) }.max() ?? .infinity
    let largest = together.elements.map(\.magnitude).max() ?? 0
    // bfloat16 has eight bits; of the errors of a layer's sums, the next layers keep some.
    #expect(worst <= (precision == .f32 ? 1e-5 : 0x1p-5) * largest)
    #expect((worst > 1e-4 * largest) == (precision == .bf16))
}

@Test func aTokenOutsideOfTheVocabularyIsNamed() throws {
    let decoder = try tinyDecoder()
    #expect { try decoder.allLogits(TokenBatch([[1, 2048]])) } throws: {
        "\($0)".contains("token 2048")
    }
}

@Test func attentionMassSumsToTheTokenCount() throws {
    let decoder = try tinyDecoder()
    var generator = SeededGenerator(seed: 9)
    let (length, width) = (32, decoder.description.hiddenSize)
    let input = Matrix(rows: 2 * length, columns: width, generator.normals(2 * length * width))
    let batch = TokenBatch([Array(someIds[..<length]), Array(someIds[..<length])])
    let mass = try decoder.attentionMass(
        layer: 1, input: input.elements, batch: batch, partCount: 1)
    #expect(mass.count == 2 * length)
    #expect(abs(mass.reduce(0, +) - Float(2 * length)) < 1e-3)
    #expect(mass[0] > mass[length - 1])
}

extension Decoder {
    fileprivate func allLogits(_ batch: TokenBatch, cache: KVCache? = nil) throws -> [Float] {
        let hidden = try hiddenStates(of: batch, cache: cache)
        let logits = Matrix(rows: hidden.rows, columns: description.vocabularySize)
        try self.logits(of: hidden, rows: Array(0..<hidden.rows), into: logits.elements)
        return Array(logits.elements)
    }
}

extension SafetensorsFile {
    fileprivate func tensor(_ name: String) throws -> MappedTensor {
        try #require(tensors.first { $0.descriptor.name == name })
    }

    fileprivate func floats(_ name: String) throws -> [Float] {
        try tensor(name).withBytes(rows: 0..<tensor(name).descriptor.rows) { bytes in
            (0..<bytes.count / 4).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
            }
        }
    }

    fileprivate func integers(_ name: String) throws -> [[Int32]] {
        let tensor = try tensor(name)
        return try (0..<tensor.descriptor.rows).map { row in
            try tensor.withBytes(rows: row..<row + 1) { bytes in
                (0..<bytes.count / 8).map {
                    Int32(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
                }
            }
        }
    }
}
