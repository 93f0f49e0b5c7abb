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

/// Two models held against each other, and the figures against their definitions.
@Suite struct ModelDifferenceTests {
    private static let model = "\(Repository.root)/Calibration/detent-tiny"

    private static func tensor(_ name: String, _ shape: [Int], _ weights: [Float]) throws
        -> any TensorSource
    {
        let descriptor = try #require(
            TensorDescriptor(name: name, shape: shape, encoding: .scalar(.f32)))
        return BufferedTensor(
            descriptor, bytes: try BufferedTensor(name, floats: weights).storage)
    }

    @Test(arguments: [1, 2])
    func errorsAreThoseOfTheDefinition(threads: Int) throws {
        var generator = SeededGenerator(seed: 3)
        // More rows than one thread takes at a time.
        let (rows, columns) = (2100, 256)
        let a = (0..<rows * columns).map { _ in Float.random(in: -1...1, using: &generator) }
        var b = a.map { $0 + Float.random(in: -0.01...0.01, using: &generator) }
        b[1900 * columns + 7] += 2
        let error = try WeightError(
            Self.tensor("a", [rows, columns], a), Self.tensor("b", [rows, columns], b),
            Workers(threadCount: threads))
        let pairs = zip(a, b).map { (Double($0), Double($1)) }
        let signal = pairs.reduce(0) { $0 + $1.0 * $1.0 }
        let noise = pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let product = pairs.reduce(0) { $0 + $1.0 * $1.1 }
        let other = pairs.reduce(0) { $0 + $1.1 * $1.1 }
        #expect(abs(error.relative / (noise / signal).squareRoot() - 1) < 1e-12)
        #expect(abs(error.cosine / (product / (signal * other).squareRoot()) - 1) < 1e-12)
        #expect(abs(error.signalToNoise + 20 * log10(error.relative)) < 1e-9)
        #expect((error.row, error.column) == (1900, 7))
        #expect(error.largest == pairs.map { abs($0.0 - $0.1) }.max())
        #expect(error.weightCount == rows * columns)
    }

    @Test func whatIsNoNumberIsTheLargestErrorUnlessBothHaveIt() throws {
        func error(_ a: [Float], _ b: [Float]) throws -> WeightError {
            try WeightError(Self.tensor("a", [2, 2], a), Self.tensor("b", [2, 2], b), .current)
        }
        #expect(try error([1, .nan, 3, 4], [1, .nan, 3, 4]).isZero)
        let lost = try error([1, 2, 3, 4], [1, 2, .nan, 9])
        #expect(lost.largest == .infinity)
        #expect((lost.row, lost.column) == (1, 0))
        #expect(lost.signalToNoise.isNaN)
    }

    @Test func aModelIsItselfInAnotherFormat() throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let output = folder.path("m.gguf")
        let plan = try ConversionPlan(
            input: ModelFile.open(Self.model), outputPath: output, recipe: Recipe())
        _ = try plan.execute()
        let same = try ModelDifference(ModelFile.open(Self.model), ModelFile.open(output))
        #expect(same.isEmpty, "\(same.metadata) \(same.unpaired)")
        #expect(same.tensors.count == 38)
    }

    @Test func missingAndReshapedTensorsAndOtherMetadataAreNamed() throws {
        let weights: [Float] = [1, 2, 3, 4, 5, 6]
        var first = Checkpoint(
            path: "a", dialect: .gguf,
            metadata: ["same": .uint32(1), "other": .string("a"), "lost": .bool(true)],
            tensors: [
                try Self.tensor("kept", [2, 3], weights),
                try Self.tensor("turned", [2, 3], weights),
                try Self.tensor("lost", [6], weights), try Self.tensor("worse", [6], weights),
            ])
        var second = first
        second.metadata = ["same": .uint32(1), "other": .string("b")]
        second.tensors[1] = try Self.tensor("turned", [3, 2], weights)
        second.tensors[3] = try Self.tensor("worse", [6], [1, 2, 3, 4, 5, 7])
        second.tensors.remove(at: 2)
        first.path = "b"
        let difference = try ModelDifference(first, second)
        #expect(difference.tensors.map(\.first.name) == ["worse", "kept"])
        #expect(difference.unpaired.map(\.name) == ["turned", "lost"])
        #expect(difference.unpaired[1].second == nil)
        #expect(difference.metadata.map(\.name) == ["other", "lost"])
        #expect(!difference.isEmpty)
    }
}
