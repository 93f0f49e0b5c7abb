import Kernels
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The relative error that `RowFunctions` states for its exponential.
private let exponentialBound = 0x1p-22

private let lengths = [1, 2, 15, 16, 17, 100, 1024, 1025, 5000]

@Test(arguments: lengths) func softmaxMatchesItsDefinition(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let x = generator.normals(count).map { $0 * 5 }
    var row = x
    row.withUnsafeMutableBufferPointer { RowFunctions.softmax($0) }
    let maximum = Double(x.max() ?? 0)
    let exponentials = x.map { exp(Double($0) - maximum) }
    let sum = exponentials.reduce(0, +)
    for (probability, exponential) in zip(row, exponentials) {
        #expect(abs(Double(probability) - exponential / sum) <= 8 * exponentialBound)
    }
}

@Test(arguments: lengths) func logSumExpMatchesItsDefinition(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count) + 1)
    let x = generator.normals(count).map { $0 * 9 - 40 }
    let sum = x.reduce(0.0) { $0 + exp(Double($1)) }
    let result = x.withUnsafeBufferPointer { RowFunctions.logSumExp($0) }
    #expect(abs(result - log(sum)) < 1e-6)
}

@Test(arguments: lengths) func divergenceMatchesItsDefinition(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count) + 2)
    let p = generator.normals(count).map { $0 * 3 }
    let q = zip(p, generator.normals(count)).map { $0 + $1 * 0.3 }
    let (a, b) = (
        log(p.reduce(0.0) { $0 + exp(Double($1)) }), log(q.reduce(0.0) { $0 + exp(Double($1)) })
    )
    let exact = zip(p, q).reduce(0.0) { sum, pair in
        let (logP, logQ) = (Double(pair.0) - a, Double(pair.1) - b)
        return sum + exp(logP) * (logP - logQ)
    }
    let result = p.withUnsafeBufferPointer { p in
        q.withUnsafeBufferPointer { q in
            RowFunctions.divergence(reference: p, logSumExp: a, model: q, logSumExp: b)
        }
    }
    #expect(abs(result - exact) < 2e-6)
}

@Test func distributionsDoNotDivergeFromThemselves() {
    var generator = SeededGenerator(seed: 3)
    let x = generator.normals(50_000)
    x.withUnsafeBufferPointer { x in
        let a = RowFunctions.logSumExp(x)
        #expect(RowFunctions.divergence(reference: x, logSumExp: a, model: x, logSumExp: a) == 0)
    }
}

/// A nonlinearity, and its definition in double precision.
private struct Nonlinearity: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let kernel: @Sendable (UnsafeMutableBufferPointer<Float>) -> Void
    let definition: @Sendable (Double) -> Double

    static let all = [
        Nonlinearity(testDescription: "silu", kernel: RowFunctions.silu) { $0 / (1 + exp(-$0)) },
        Nonlinearity(testDescription: "gelu", kernel: RowFunctions.gelu) {
            $0 * erfc(-$0 / 2.0.squareRoot()) / 2
        },
        Nonlinearity(testDescription: "geluTanh", kernel: RowFunctions.geluTanh) {
            let u = (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)
            return $0 / (1 + exp(-2 * u))
        },
        Nonlinearity(testDescription: "geluSigmoid", kernel: RowFunctions.geluSigmoid) {
            $0 / (1 + exp(-1.702 * $0))
        },
        Nonlinearity(testDescription: "relu", kernel: RowFunctions.relu) { max($0, 0) },
        Nonlinearity(testDescription: "reluSquared", kernel: RowFunctions.reluSquared) {
            max($0, 0) * max($0, 0)
        },
    ]
}

@Test(arguments: Nonlinearity.all)
private func nonlinearityMatchesItsDefinition(_ nonlinearity: Nonlinearity) {
    let x = stride(from: Float(-20), through: 20, by: 0.0137).map { $0 }
    var row = x
    row.withUnsafeMutableBufferPointer { nonlinearity.kernel($0) }
    for index in x.indices {
        let exact = nonlinearity.definition(Double(x[index]))
        // Rounding an exponential's argument moves the result by that much of it.
        let argument = max(1, Double(x[index] * x[index]), abs(Double(x[index])) * 2)
        let bound = (8 + argument) * exponentialBound
        #expect(abs(Double(row[index]) - exact) <= bound * abs(exact) + 1e-30)
    }
}

@Test(arguments: [Float(0.5), 30, 50]) func softcapMatchesItsDefinition(cap: Float) {
    let x = stride(from: Float(-200), through: 200, by: 0.137).map { $0 }
    var row = x
    row.withUnsafeMutableBufferPointer { RowFunctions.softcap($0, cap: cap) }
    for index in x.indices {
        let exact = Double(cap) * tanh(Double(x[index]) / Double(cap))
        #expect(abs(Double(row[index]) - exact) <= 8 * exponentialBound * abs(exact))
    }
}

@Test(arguments: [1, 7, 8, 64, 100], [Float(0), 100]) func normsMatchTheirDefinitions(
    count: Int, mean: Float
) {
    var generator = SeededGenerator(seed: UInt64(count))
    let (x, gain) = (generator.normals(count).map { $0 + mean }, generator.normals(count))
    var (rms, layer) = (x, x)
    x.withUnsafeBufferPointer { x in
        gain.withUnsafeBufferPointer { gain in
            rms.withUnsafeMutableBufferPointer {
                RowFunctions.rmsNorm(x, gain: gain, epsilon: 1e-3, into: $0)
            }
            layer.withUnsafeMutableBufferPointer {
                RowFunctions.layerNorm(x, gain: gain, epsilon: 1e-3, into: $0)
            }
        }
    }
    let (exact, size) = (x.map(Double.init), Double(count))
    let average = exact.reduce(0, +) / size
    let meanSquare = exact.reduce(0) { $0 + $1 * $1 } / size
    let variance = exact.reduce(0) { $0 + ($1 - average) * ($1 - average) } / size
    // What one rounding of the mean is, next to the spread that the rest is divided by.
    let meanError = Double(mean.ulp) / (variance + 1e-3).squareRoot()
    for index in x.indices {
        let scaled = exact[index] / (meanSquare + 1e-3).squareRoot() * Double(gain[index])
        #expect(abs(Double(rms[index]) - scaled) <= 1e-6 * max(abs(scaled), 1))
        let centred =
            (exact[index] - average) / (variance + 1e-3).squareRoot() * Double(gain[index])
        #expect(abs(Double(layer[index]) - centred) <= (1e-6 + 2 * meanError) * 4)
    }
}

@Test(arguments: [1, 2, 15, 16, 17, 40]) func theMaximumIsNaNWhereOneIs(count: Int) {
    for place in 0..<count {
        var row = (0..<count).map { Float($0 * 7 % 11) }
        #expect(row.withUnsafeBufferPointer(RowFunctions.maximum) == row.max())
        row[place] = .nan
        #expect(row.withUnsafeBufferPointer(RowFunctions.maximum).isNaN)
    }
}

@Test func theFirstOfEqualMaximaWins() {
    let x: [Float] = [1, 3, 2, 3]
    x.withUnsafeBufferPointer { #expect(RowFunctions.indexOfMaximum($0) == 1) }
}

@Test func rmsNormMakesTheMeanSquareOne() {
    var generator = SeededGenerator(seed: 5)
    let x = generator.normals(577)
    let gain = [Float](repeating: 1, count: x.count)
    var out = x
    x.withUnsafeBufferPointer { x in
        gain.withUnsafeBufferPointer { gain in
            out.withUnsafeMutableBufferPointer {
                RowFunctions.rmsNorm(x, gain: gain, epsilon: 0, into: $0)
            }
        }
    }
    let meanSquare = out.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(out.count)
    #expect(abs(meanSquare - 1) < 1e-5)
}

@Test func workersCallEveryItemOnceAndReportTheFirstFailure() {
    struct Failure: Error, Equatable { let item: Int }
    let hits = Matrix(rows: 1, columns: 1000)
    Workers(threadCount: 3).forEach(1000) { hits[0, $0] += 1 }
    #expect(hits.elements.allSatisfy { $0 == 1 })
    #expect(throws: Failure(item: 0)) {
        try Workers(threadCount: 1).forEach(10) { throw Failure(item: $0) }
    }
}
