#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import TensorIR
import TestSupport
import Testing

@testable import Conversion
@testable import Kernels

/// What is said of a tensor's weights, against the definitions.
@Suite struct WeightDistributionTests {
    private static func distribution(
        _ shape: [Int], _ weights: [Float], _ workers: Workers = .current
    ) throws -> WeightDistribution {
        let descriptor = try #require(
            TensorDescriptor(name: "t", shape: shape, encoding: .scalar(.f32)))
        let bytes = try BufferedTensor("t", floats: weights).storage
        return try WeightDistribution(BufferedTensor(descriptor, bytes: bytes), workers)
    }

    @Test(arguments: [1, 2])
    func figuresAreThoseOfTheDefinition(threads: Int) throws {
        var generator = SeededGenerator(seed: 5)
        // More rows than one thread takes at a time.
        let (rows, columns) = (2100, 256)
        var weights = (0..<rows * columns).map { _ in
            Float.random(in: -0.5...0.7, using: &generator)
        }
        weights[1900 * columns + 7] = -9
        for row in 0..<rows { weights[row * columns + 11] *= 3 }
        let found = try Self.distribution(
            [rows, columns], weights, Workers(threadCount: threads))

        let values = weights.map(Double.init)
        let mean = values.reduce(0, +) / Double(values.count)
        func moment(_ power: Double) -> Double {
            values.reduce(0) { $0 + pow($1 - mean, power) } / Double(values.count)
        }
        let deviation = moment(2).squareRoot()
        #expect(abs(found.mean - mean) < 1e-12)
        #expect(abs(found.standardDeviation / deviation - 1) < 1e-9)
        #expect(abs(found.kurtosis / (moment(4) / moment(2) / moment(2)) - 1) < 1e-9)
        #expect((found.minimum, found.maximum) == (-9, weights.max() ?? 0))
        #expect((found.row, found.column) == (1900, 7))
        #expect(abs(found.largestInDeviations - 9 / deviation) < 1e-9)
        let distances = values.map { ($0 - mean) / deviation }
        #expect(found.outlierCount == distances.count { abs($0) > 6 })
        #expect(found.histogram.reduce(0, +) == values.count)
        for bin in 1..<23 {
            let start = -6 + 0.5 * Double(bin)
            #expect(found.histogram[bin] == distances.count { $0 >= start && $0 < start + 0.5 })
        }
        #expect(found.heaviestColumn == 11)
        let column = stride(from: 11, to: values.count, by: columns)
            .reduce(0) { $0 + values[$1] * values[$1] }
        let all = values.reduce(0) { $0 + $1 * $1 } / Double(columns)
        #expect(abs(found.heaviestColumnRatio / (column / all).squareRoot() - 1) < 1e-9)
    }

    @Test func whatIsNoNumberIsCountedAndLeftOut() throws {
        let found = try Self.distribution([2, 3], [.nan, 2, 0, -.infinity, 4, 0])
        #expect((found.weightCount, found.notFiniteCount, found.zeroCount) == (6, 2, 2))
        #expect((found.minimum, found.maximum, found.mean) == (0, 4, 1.5))
        #expect((found.row, found.column) == (1, 1))
    }

    @Test func weightsThatAreAllTheSameHaveNoHistogram() throws {
        let found = try Self.distribution([4], [1, 1, 1, 1])
        #expect((found.standardDeviation, found.outlierCount) == (0, 0))
        #expect(found.histogram.allSatisfy { $0 == 0 })
        #expect(found.largestInDeviations == 0)
        #expect(try Self.distribution([2, 2], [.nan, .nan, .nan, .nan]).notFiniteCount == 4)
    }
}
