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

@Test func siluMatchesItsDefinition() {
    let x = stride(from: Float(-100), through: 100, by: 0.37).map { $0 }
    var gate = x
    let up = x.indices.map { Float($0 % 7) - 3 }
    gate.withUnsafeMutableBufferPointer { gate in
        up.withUnsafeBufferPointer { RowFunctions.siluProduct(gate, $0) }
    }
    for index in x.indices {
        let exact = Double(x[index]) / (1 + exp(-Double(x[index]))) * Double(up[index])
        #expect(abs(Double(gate[index]) - exact) <= 8 * exponentialBound * abs(exact) + 1e-30)
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
