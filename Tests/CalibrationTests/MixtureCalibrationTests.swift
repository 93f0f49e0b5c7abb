import Architectures
import Calibration
import Inference
import Kernels
import TestSupport
import Testing

/// Two layers, the second with eight experts of which each token visits one, and a shared one.
private let description: DecoderDescription = {
    var description = DecoderDescription()
    (description.hiddenSize, description.embeddingSize) = (16, 16)
    (description.headCount, description.keyValueHeadCount, description.headSize) = (2, 2, 8)
    (description.vocabularySize, description.contextLength) = (30, 32)
    description.feedForwardSize = 24
    description.layerCount = 2
    description.layers[1].usesExperts = true
    var experts = DecoderDescription.Experts()
    (experts.count, experts.usedCount, experts.feedForwardSize) = (8, 1, 12)
    experts.sharedFeedForwardSize = 20
    description.experts = experts
    return description
}()

private func decoder() throws -> Decoder {
    try Decoder(
        DecoderWeights(description, tensors: description.randomTensors(seed: 3)),
        positionCount: 8, workers: Workers(threadCount: 2))
}

/// Five tokens: three experts at least are visited by none.
private let batch = TokenBatch([[3, 1, 4, 15, 9]])

private final class Recorder: LinearInputObserver {
    var asked: [(roles: [TensorRole], tokens: [Int], columns: Int, valueCount: Int)] = []

    func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) -> [TensorRole: LinearMatrix] {
        asked.append((roles, input.tokens, input.columns, input.values.count))
        return [:]
    }
}

@Test func everyExpertIsAskedAboutWithItsOwnTokens() throws {
    let recorder = Recorder()
    _ = try decoder().hiddenStates(of: batch, observer: recorder)
    let mixture = recorder.asked.filter { $0.roles[0].layer == 1 }.dropFirst(2)
    let roles: [[TensorRole]] =
        (0..<8).flatMap { expert in
            [[.gate, .up], [.down]].map { (modules: [TensorRole.Module]) in
                modules.map { TensorRole($0, layer: 1, expert: expert) }
            }
        } + [
            [TensorRole(.sharedGate, layer: 1), TensorRole(.sharedUp, layer: 1)],
            [TensorRole(.sharedDown, layer: 1)],
        ]
    #expect(mixture.map(\.roles) == roles)
    for (roles, tokens, columns, valueCount) in mixture {
        #expect(columns == description.shape(of: roles[0])[1])
        #expect(valueCount == tokens.count * columns)
        #expect(tokens == tokens.sorted())
    }
    let visits = mixture.filter { $0.roles.first?.module == .gate }.flatMap(\.tokens)
    #expect(visits.sorted() == Array(0..<batch.tokenCount))
    #expect(mixture.suffix(2).allSatisfy { $0.tokens == Array(0..<batch.tokenCount) })
}

@Test(arguments: TokenWeighting.allCases)
func anExpertThatNoTokenReachedIsDueWithoutStatistics(weighting: TokenWeighting) throws {
    let decoder = try decoder()
    let recorder = Recorder()
    _ = try decoder.hiddenStates(of: batch, observer: recorder)
    let unreached = Set(recorder.asked.filter { $0.tokens.isEmpty }.flatMap(\.roles))
    #expect(unreached.count >= 3 * 3)

    var due: Set<TensorRole> = []
    let quantizer = SequentialQuantizer(weighting: weighting) { request in
        due.formUnion(request.roles)
        let isZero = request.hessian.elements.allSatisfy { $0 == 0 }
        #expect(isZero == unreached.contains(request.roles[0]))
        #expect(request.hessian.rows == description.shape(of: request.roles[0])[1])
        return [:]
    }
    _ = try decoder.hiddenStates(of: batch, observer: quantizer)
    #expect(due.count == 4 + 3 + 4 + 3 * 8 + 3)

    let collector = ImportanceCollector(weighting: weighting)
    _ = try decoder.hiddenStates(of: batch, observer: collector)
    #expect(Set(collector.meanSquares.keys) == due.subtracting(unreached))
}

@Test func anExpertsReplacementChangesTheTokensThatVisitIt() throws {
    let decoder = try decoder()
    let recorder = Recorder()
    let before = try decoder.hiddenStates(of: batch, observer: recorder)
    let visited = try #require(
        recorder.asked.first { $0.roles[0].expert != nil && !$0.tokens.isEmpty })
    let down = TensorRole(.down, layer: 1, expert: visited.roles[0].expert)
    let quantizer = SequentialQuantizer(weighting: .uniform) { request in
        request.roles == [down] ? [down: Matrix(rows: 16, columns: 12)] : [:]
    }
    let after = try decoder.hiddenStates(of: batch, observer: quantizer)
    let changed = (0..<batch.tokenCount).filter { token in
        !before.row(token).elementsEqual(after.row(token))
    }
    #expect(changed == visited.tokens)
}
