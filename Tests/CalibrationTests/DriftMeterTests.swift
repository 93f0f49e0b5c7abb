import Architectures
import Calibration
import Conversion
import Inference
import Kernels
import Quantization
import TestSupport
import Testing

private let sequences: [[Int32]] = (0..<11).map { window in
    (0..<16).map { Int32(($0 * 31 + window * 17) % 2048) }
}

private func tinyModel() throws -> LanguageModel {
    try LanguageModel(ModelFile.open("\(Repository.root)/Calibration/detent-tiny"))
}

private func tinyDecoder() throws -> Decoder {
    try Decoder(tinyModel(), positionCount: 16, workers: Workers(threadCount: 2))
}

/// Keeps the inputs of every group of matrices, and the stream behind them.
private final class Recorder: LinearInputObserver {
    var inputs: [TensorRole: (values: [Float], stream: [Float]?)] = [:]
    var replaced: [TensorRole: Matrix] = [:]

    func replacements(
        for roles: [TensorRole], input: LinearInput, decoder: Decoder
    ) throws -> [TensorRole: LinearMatrix] {
        inputs[roles[0]] = (Array(input.values), input.stream.map { Array($0.elements) })
        return replaced.filter { roles.contains($0.key) }.mapValues { LinearMatrix($0) }
    }
}

@Test func aModelThatStaysAsItWasDoesNotDrift() throws {
    let decoder = try tinyDecoder()
    var groups = 0
    let quantizer = SequentialQuantizer(
        weighting: .uniform, driftMeter: try DriftMeter(decoder, sequences: sequences)
    ) { request in
        let drift = try #require(request.drift)
        let scale = (0..<request.hessian.rows).map { request.hessian[$0, $0] }.max() ?? 0
        let isAddedToStream = ["attentionOutput", "down"].contains(
            request.roles[0].module.rawValue)
        for half in drift.halves {
            switch half.change {
            case .ofInputs(let sum):
                #expect(!isAddedToStream)
                for element in sum.elements { #expect(abs(element) <= 1e-5 * scale) }
            case .ofStream: #expect(isAddedToStream)
            }
        }
        groups += 1
        guard let source = try tinyModel().tensors[request.roles[0]] else { return [:] }
        let weights = try LinearMatrix(source).decoded(workers: decoder.workers)
        let compensation = DriftCompensation(
            drift, hessian: Hessian(request.hessian), workers: decoder.workers)
        let compensated = compensation.applied(to: weights).weights
        withExtendedLifetime((compensated, weights)) {
            for (now, was) in zip(compensated.elements, weights.elements) {
                #expect(abs(now - was) < 1e-4)
            }
        }
        return [:]
    }
    let hidden = try decoder.hiddenStates(of: TokenBatch(sequences), observer: quantizer)
    try decoder.showOutputInput(of: hidden, batch: TokenBatch(sequences), to: quantizer)
    #expect(groups == 4 * 4 + 1)
}

/// Queries read the stream through a norm, and what the attention gives is added to it.
@Test(
    arguments: [TensorRole.Module.query, .attentionOutput],
    [(Int.max, Array(0..<176)), (64, Array(0..<32) + Array(96..<128))])
func driftIsTheDifferenceOfTwoRunsTimesTheInput(
    module: TensorRole.Module, part: (tokenCount: Int, tokens: [Int])
) throws {
    let decoder = try tinyDecoder()
    let (before, after) = (Recorder(), Recorder())
    let lost = TensorRole(.down, layer: 0)
    after.replaced[lost] = Matrix(rows: 256, columns: 768)
    for recorder in [before, after] {
        _ = try decoder.hiddenStates(of: TokenBatch(sequences), observer: recorder)
    }
    let looked = TensorRole(module, layer: 1)
    let weights = try LinearMatrix(#require(tinyModel().tensors[looked])).decoded(
        workers: decoder.workers)
    let (was, now) = (try #require(before.inputs[looked]), try #require(after.inputs[looked]))

    /// (r + W·x) − r̃, or x − x̃.
    func change(token: Int, row: Int) -> Double {
        guard let before = was.stream, let after = now.stream else {
            return Double(was.values[token * 256 + row] - now.values[token * 256 + row])
        }
        return (0..<256).reduce(Double(before[token * 256 + row] - after[token * 256 + row])) {
            $0 + Double(weights[row, $1] * was.values[token * 256 + $1])
        }
    }
    func expect(_ measured: Float, _ expected: Double) {
        #expect(abs(Double(measured) - expected) < 1e-6 + 1e-3 * abs(expected))
    }
    var isMeasured = false
    let quantizer = SequentialQuantizer(
        weighting: .uniform,
        driftMeter: try DriftMeter(
            decoder, sequences: sequences, comparedTokenCount: part.tokenCount)
    ) { request in
        if request.roles == [lost] { return after.replaced }
        guard request.roles[0] == looked else { return [:] }
        let drift = try #require(request.drift)
        let tokens = sequences.count * 16
        for (row, column) in [(0, 0), (3, 250), (255, 17), (100, 100)] {
            let products = part.tokens.reduce(0) {
                $0 + change(token: $1, row: row) * Double(now.values[$1 * 256 + column])
            }
            let squares = (0..<tokens).reduce(0) {
                $0 + Double(now.values[$1 * 256 + row]) * Double(now.values[$1 * 256 + column])
            }
            expect(
                drift.halves.reduce(0) { $0 + $1.change.sum[row, column] },
                products / Double(part.tokens.count))
            expect(request.hessian[row, column], squares / Double(tokens))
        }
        isMeasured = true
        return [:]
    }
    _ = try decoder.hiddenStates(of: TokenBatch(sequences), observer: quantizer)
    #expect(isMeasured)
}
