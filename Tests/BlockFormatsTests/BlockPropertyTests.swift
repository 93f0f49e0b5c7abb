import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

/// The bounds are of exact arithmetic; the codecs take a few steps in floats.
private let floatRounding: Float = 1 + 0x1p-20

@Suite struct BlockPropertyTests {
    private static func weights(seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return generator.normals(256).map { $0 * 0.05 }
    }

    @Test(arguments: encodableBlocks, 1...8 as ClosedRange<UInt64>)
    func encodingDecodedWeightsAgainKeepsThem(type: BlockEncoding, seed: UInt64) throws {
        let encoding = Encoding.block(type)
        let once = try decode(encode(Self.weights(seed: seed), encoding), encoding, columns: 256)
        let twice = try decode(encode(once, encoding), encoding, columns: 256)
        #expect(twice == once)
    }

    /// Half a step, and a whole one at the end without a twin. The scale is then rounded to a half, by
    /// at most 2^-11 of itself, which moves a weight that many levels away from zero.
    @Test(arguments: [(BlockEncoding.q4_0, 8 as Float), (.q5_0, 16)], 1...8 as ClosedRange<UInt64>)
    func errorsStayWithinAStep(type: (BlockEncoding, Float), seed: UInt64) throws {
        let weights = Self.weights(seed: seed)
        let decoded = try decode(encode(weights, .block(type.0)), .block(type.0), columns: 256)
        for start in stride(from: 0, to: 256, by: 32) {
            let block = start..<start + 32
            let extreme = weights[block].max { $0.magnitude < $1.magnitude } ?? 0
            let step = extreme.magnitude / type.1
            let scaleRounding = type.1 * step * 0x1p-11
            for i in block {
                let atTheOtherEnd = weights[i] / -extreme > (type.1 - 0.5) / type.1
                let bound = (atTheOtherEnd ? step : step / 2) + scaleRounding
                #expect((decoded[i] - weights[i]).magnitude <= bound * floatRounding)
            }
        }
    }

    @Test(
        arguments: [(BlockEncoding.q8_0, 127 as Float), (.q4_1, 15), (.q5_1, 31)],
        1...8 as ClosedRange<UInt64>)
    func errorsStayWithinHalfAStep(type: (BlockEncoding, Float), seed: UInt64) throws {
        let weights = Self.weights(seed: seed)
        let decoded = try decode(encode(weights, .block(type.0)), .block(type.0), columns: 256)
        for start in stride(from: 0, to: 256, by: 32) {
            let block = start..<start + 32
            let (low, high) = (weights[block].min() ?? 0, weights[block].max() ?? 0)
            let range = type.0 == .q8_0 ? max(high, -low) : high - low
            // Scale and minimum are rounded to halves.
            let rounding = (range + max(high, -low)) * 0x1p-11
            for i in block {
                let bound = range / type.1 / 2 + rounding
                #expect((decoded[i] - weights[i]).magnitude <= bound * floatRounding)
            }
        }
    }

    @Test(arguments: encodableBlocks) func zerosStayZeros(type: BlockEncoding) throws {
        let zeros = [Float](repeating: 0, count: 64)
        #expect(try decode(encode(zeros, .block(type)), .block(type), columns: 64) == zeros)
    }

    /// The fit by squares must beat the plain range on weights of a bell shape, or it is of no use.
    @Test func iq4NLLosesLessThanQ4_0() throws {
        let weights = Self.weights(seed: 9)
        func squaredError(_ type: BlockEncoding) throws -> Float {
            let decoded = try decode(encode(weights, .block(type)), .block(type), columns: 256)
            return zip(decoded, weights).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        #expect(try squaredError(.iq4_nl) < squaredError(.q4_0))
    }
}
