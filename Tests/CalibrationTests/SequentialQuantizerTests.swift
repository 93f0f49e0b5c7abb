import Architectures
import Calibration
import Conversion
import Inference
import Kernels
import TestSupport
import Testing

private let modelPath = "\(Repository.root)/Calibration/detent-tiny"

private func tinyDecoder(threadCount: Int = 2) throws -> Decoder {
    try Decoder(
        LanguageModel(ModelFile.open(modelPath)), positionCount: 32,
        workers: Workers(threadCount: threadCount))
}

private let batch = TokenBatch(
    (0..<3).map { window in (0..<32).map { Int32(($0 * 31 + window * 17) % 2048) } })

@Test func everyMatrixIsDueOnceInTheOrderOfTheForwardPass() throws {
    var seen: [String] = []
    let quantizer = SequentialQuantizer(weighting: .uniform) { request in
        let modules = request.roles.map(\.module.rawValue).joined(separator: "+")
        seen.append("\(request.roles[0].layer ?? -1) \(modules)")
        #expect(request.hessian.rows == request.hessian.columns)
        return [:]
    }
    _ = try tinyDecoder().hiddenStates(of: batch, observer: quantizer)
    let groups = ["query+key+value", "attentionOutput", "gate+up", "down"]
    #expect(seen == (0..<4).flatMap { layer in groups.map { "\(layer) \($0)" } })
}

@Test func laterLayersSeeWhatEarlierOnesHaveBecome() throws {
    let decoder = try tinyDecoder()
    var hessians: [[Float]] = []
    for replaces in [false, true] {
        let quantizer = SequentialQuantizer(weighting: .attention) { request in
            if request.roles.contains(TensorRole(.query, layer: 1)) {
                hessians.append(Array(request.hessian.elements))
            }
            let down = TensorRole(.down, layer: 0)
            guard replaces, request.roles == [down] else { return [:] }
            return [down: Matrix(rows: 256, columns: 768)]
        }
        _ = try decoder.hiddenStates(of: batch, observer: quantizer)
    }
    #expect(hessians.count == 2 && hessians[0] != hessians[1])
}

@Test(arguments: TokenWeighting.allCases) func hessiansDoNotDependOnTheThreadCount(
    weighting: TokenWeighting
) throws {
    var runs: [[[Float]]] = []
    for threadCount in [1, 3] {
        var hessians: [[Float]] = []
        let quantizer = SequentialQuantizer(weighting: weighting) { request in
            hessians.append(Array(request.hessian.elements))
            return [:]
        }
        _ = try tinyDecoder(threadCount: threadCount).hiddenStates(of: batch, observer: quantizer)
        runs.append(hessians)
    }
    #expect(runs[0] == runs[1])
}

@Test func importanceIsTheDiagonalOfTheHessian() throws {
    let decoder = try tinyDecoder()
    let collector = ImportanceCollector(weighting: .attention)
    _ = try decoder.hiddenStates(of: batch, observer: collector)
    let quantizer = SequentialQuantizer(weighting: .attention) { request in
        for role in request.roles {
            let squares = try #require(collector.meanSquares[role])
            for (column, square) in squares.enumerated() {
                // One sums in single precision, the other in double.
                #expect(abs(request.hessian[column, column] - square) <= 1e-5 * square)
            }
        }
        return [:]
    }
    _ = try decoder.hiddenStates(of: batch, observer: quantizer)
    #expect(collector.meanSquares.count == 4 * 7)
}
