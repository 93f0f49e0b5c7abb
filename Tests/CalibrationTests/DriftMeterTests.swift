import Architectures
import Calibration
import Conversion
import Inference
import Kernels
import TestSupport
import Testing

private let sequences: [[Int32]] = (0..<11).map { window in
    (0..<16).map { Int32(($0 * 31 + window * 17) % 2048) }
}

private func tinyDecoder() throws -> Decoder {
    try Decoder(
        LanguageModel(ModelFile.open("\(Repository.root)/Calibration/detent-tiny")),
        positionCount: 16, workers: Workers(threadCount: 2))
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
        for half in drift.halves {
            for element in half.inputs.elements { #expect(abs(element) <= 1e-5 * scale) }
        }
        #expect(
            (drift.halves[0].stream != nil)
                == ["attentionOutput", "down"].contains(request.roles[0].module.rawValue))
        groups += 1
        return [:]
    }
    let hidden = try decoder.hiddenStates(of: TokenBatch(sequences), observer: quantizer)
    try decoder.showOutputInput(of: hidden, batch: TokenBatch(sequences), to: quantizer)
    #expect(groups == 4 * 4 + 1)
}

@Test func driftIsTheDifferenceOfTwoRunsTimesTheInput() throws {
    let decoder = try tinyDecoder()
    let (before, after) = (Recorder(), Recorder())
    let lost = TensorRole(.down, layer: 0)
    after.replaced[lost] = Matrix(rows: 256, columns: 768)
    for recorder in [before, after] {
        _ = try decoder.hiddenStates(of: TokenBatch(sequences), observer: recorder)
    }
    let looked = TensorRole(.attentionOutput, layer: 1)
    var isMeasured = false
    let quantizer = SequentialQuantizer(
        weighting: .uniform, driftMeter: try DriftMeter(decoder, sequences: sequences)
    ) { request in
        if request.roles == [lost] { return after.replaced }
        guard request.roles == [looked] else { return [:] }
        let drift = try #require(request.drift)
        let (was, now) = (try #require(before.inputs[looked]), try #require(after.inputs[looked]))
        let tokens = sequences.count * 16
        let streams = (try #require(was.stream), try #require(now.stream))
        for (row, column) in [(0, 0), (3, 250), (255, 17), (100, 100)] {
            var (inputs, stream) = (0.0, 0.0)
            for token in 0..<tokens {
                let x = Double(now.values[token * 256 + column])
                let place = token * 256 + row
                inputs += Double(was.values[place] - now.values[place]) * x / Double(tokens)
                stream += Double(streams.0[place] - streams.1[place]) * x / Double(tokens)
            }
            let measured = drift.halves.reduce((inputs: 0.0, stream: 0.0, square: 0.0)) {
                sum, half in
                (
                    sum.inputs + Double(half.inputs[row, column]),
                    sum.stream + Double(half.stream?[row, column] ?? 0),
                    sum.square + Double(half.hessian[row, column])
                )
            }
            #expect(abs(measured.inputs - inputs) < 1e-6 + 1e-3 * abs(inputs))
            #expect(abs(measured.stream - stream) < 1e-6 + 1e-3 * abs(stream))
            let square = Double(request.hessian[row, column])
            #expect(abs(measured.square - square) < 1e-6 + 1e-3 * abs(square))
        }
        isMeasured = true
        return [:]
    }
    _ = try decoder.hiddenStates(of: TokenBatch(sequences), observer: quantizer)
    #expect(isMeasured)
}
