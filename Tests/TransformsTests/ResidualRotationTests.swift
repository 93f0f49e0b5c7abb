import Architectures
import Inference
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Transforms

/// Families whose stream turns; the others are refused.
private let rotatable = models.filter {
    !["arch/bloom", "arch/gemma2", "arch/gemma3"].contains($0)
}

@Test(.enabled(if: Repository.hasShared, "\(needsShared)"), arguments: rotatable)
func rotationChangesNoLogit(path: String) throws {
    let model = try languageModel(path)
    let rotated = try ResidualRotation(model.description, seed: 7).applied(to: model)
    #expect(!rotated.description.isOutputTied)
    #expect(try difference(model, rotated) < roundingTolerance)
}

@Test(.enabled(if: Repository.hasShared, "\(needsShared)"))
func rotationAndScalesTogetherChangeNoLogit() throws {
    let model = try languageModel("arch/qwen3-moe")
    let rotated = try ResidualRotation(model.description, seed: 7).applied(to: model)
    let scaled = try ChannelScaling.random(for: rotated.description, seed: 8).applied(to: rotated)
    #expect(try difference(model, scaled) < roundingTolerance)
}

@Test(.enabled(if: Repository.hasShared, "\(needsShared)"))
func aRotatedModelHasGainsOfOne() throws {
    let model = try languageModel("arch/llama")
    let rotated = try ResidualRotation(model.description, seed: 7).applied(to: model)
    for role in [TensorRole(.outputNorm), TensorRole(.attentionNorm, layer: 1)] {
        let gains = try rotated.tensors[role]?.floats() ?? []
        #expect(!gains.isEmpty && gains.allSatisfy { $0 == 1 })
    }
}

@Test(.enabled(if: Repository.hasShared, "\(needsShared)"))
func anUntiedModelSaysSoInItsConfiguration() throws {
    let model = try languageModel("arch/llama-tied-bf16")
    let rotated = try ResidualRotation(model.description, seed: 7).applied(to: model)
    let configuration = try rotated.checkpoint.json("config.json")
    #expect(configuration?["tie_word_embeddings"]?.bool == false)
}

@Test(
    .enabled(if: Repository.hasShared, "\(needsShared)"),
    arguments: [
        ("arch/bloom", "a norm with gains stands behind its embedding"),
        ("arch/gemma3", "norms with gains stand behind its attention or feed-forward"),
    ])
func whatDoesNotTurnIsNamed(path: String, reason: String) throws {
    let description = try languageModel(path).description
    #expect {
        try ResidualRotation(description, seed: 1)
    } throws: {
        "\($0)".hasSuffix(reason)
    }
}

/// A small decoder without file, in one of the ways that no shared model has.
private func smallDescription(_ change: (inout DecoderDescription) -> Void) -> DecoderDescription {
    var description = DecoderDescription()
    (description.hiddenSize, description.embeddingSize) = (24, 24)
    (description.feedForwardSize, description.vocabularySize) = (40, 50)
    (description.headCount, description.keyValueHeadCount, description.headSize) = (4, 2, 6)
    (description.contextLength, description.layerCount) = (64, 2)
    change(&description)
    return description
}

@Test(arguments: [
    smallDescription { $0.norm.gainOffset = 1 },
    smallDescription { $0.embeddingScale = 5 },
    smallDescription { $0.residualScale = 0.22 },
    smallDescription { $0.projectionClip = 0.7 },
    smallDescription { ($0.embeddingSize, $0.isOutputTied) = (16, true) },
    smallDescription { ($0.norm.kind, $0.norm.hasGain) = (.layer, false) },
    smallDescription { ($0.hiddenSize, $0.embeddingSize) = (22, 22) },
    smallDescription {
        ($0.hiddenSize, $0.embeddingSize, $0.norm.kind) = (22, 22, .layer)
        $0.biases = [
            .attentionNorm, .feedForwardNorm, .outputNorm, .query, .value, .attentionOutput, .down,
            .output,
        ]
    },
])
func everyChoiceTurns(description: DecoderDescription) throws {
    let rotation = try ResidualRotation(description, seed: 11)
    let tensors = try description.randomTensors(seed: 5)
    var turned = description
    turned.isOutputTied = description.isOutputTied && !rotation.unties
    let worst = try difference(
        DecoderWeights(description, tensors: tensors),
        DecoderWeights(turned, tensors: rotation.rotated(tensors)))
    #expect(worst < roundingTolerance)
}

@Test(arguments: [1, 2, 4, 8, 12, 20, 24, 28, 36, 64, 96, 576], [false, true])
func hadamardMatricesAreOrthogonalAndEven(order: Int, keepsMean: Bool) {
    let matrix = OrthogonalMatrix(order: order, seed: 3, keepsMean: keepsMean)
    #expect(matrix.isHadamard)
    #expect(matrix.largestDeviation < 1e-5)
    guard !keepsMean else { return }
    let size = 1 / Float(order).squareRoot()
    #expect(matrix.elements.elements.allSatisfy { $0.magnitude == size })
}

@Test(arguments: [3, 6, 18, 22, 42], [false, true])
func otherOrdersGetABasisOfRandomVectors(order: Int, keepsMean: Bool) {
    let matrix = OrthogonalMatrix(order: order, seed: 3, keepsMean: keepsMean)
    #expect(matrix.largestDeviation < 1e-5)
}

@Test(arguments: [8, 22, 36])
func theMeanStaysWhereItIs(order: Int) {
    let matrix = OrthogonalMatrix(order: order, seed: 3, keepsMean: true)
    for row in 0..<order {
        #expect(abs(matrix.elements.row(row).reduce(0, +) - 1) < 1e-5)
    }
}

@Test func aSeedRepeatsAMatrix() {
    func elements(_ seed: UInt64) -> [Float] {
        let matrix = OrthogonalMatrix(order: 24, seed: seed)
        return withExtendedLifetime(matrix) { Array(matrix.elements.elements) }
    }
    #expect(elements(1) == elements(1))
    #expect(elements(1) != elements(2))
}

extension OrthogonalMatrix {
    /// The largest element of R·Rᵀ − 1.
    fileprivate var largestDeviation: Float {
        let product = Matrix(rows: order, columns: order)
        let start = elements.pointer(toRow: 0)
        multiply(
            MatrixOperand(start, stride: order),
            MatrixOperand(start, stride: order, transposed: true), into: product.pointer(toRow: 0),
            stride: order, rows: order, inner: order, columns: order)
        for index in 0..<order { product[index, index] -= 1 }
        return product.elements.reduce(0) { max($0, $1.magnitude) }
    }
}
