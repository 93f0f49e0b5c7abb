import DTZFormat
import TensorIR
import TestSupport
import Testing

/// Encodings of every kind, and sizes that are no whole records.
private let encodings: [Encoding] =
    ScalarType.allCases.map { .scalar($0) } + BlockEncoding.allCases.map { .block($0) }
    + [
        .grouped(GroupedAffine(bits: 4, groupSize: 32, offset: .zeroPoint)),
        .grouped(GroupedAffine(.e2m1, groupSize: 16, scaleType: .f32)),
    ]

@Suite struct TransformTests {
    @Test(arguments: encodings) func mergingUndoesSplitting(encoding: Encoding) {
        var generator = SeededGenerator(seed: 7)
        for transform in Transform.candidates(for: encoding) {
            for count in [0, 1, 7, encoding.bytesPerBlock, encoding.bytesPerBlock * 65 + 3] {
                let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let planes = split(bytes, transform)
                #expect(merge(planes, transform, count: count) == bytes, "\(transform), \(count)")
                #expect(planes.count <= transform.capacity(of: count))
                #expect(transform.planeEnds(of: count).allSatisfy { $0 <= planes.count })
            }
        }
    }

    /// Whatever a file says that planes are, they make a chunk or they do not.
    @Test(arguments: [ScalarType.bf16, .f32]) func otherPlanesAreRefusedOrRead(type: ScalarType) {
        var generator = SeededGenerator(seed: 9)
        let transform = Transform.candidates(for: .scalar(type))[0]
        #expect(transform.pairsExponents)
        for count in 0..<40 {
            for size in 0...transform.capacity(of: count) + 3 {
                let planes = (0..<size).map { _ -> UInt8 in
                    [0xFF, 0x0F, 0xF0, 0x11].randomElement(using: &generator) ?? 0
                }
                _ = merge(planes, transform, count: count)
            }
        }
    }

    private func split(_ bytes: [UInt8], _ transform: Transform) -> [UInt8] {
        var planes = [UInt8](repeating: 0, count: transform.capacity(of: bytes.count))
        let count = bytes.withUnsafeBytes { bytes in
            planes.withUnsafeMutableBytes { transform.split(bytes, into: $0) }
        }
        return Array(planes[..<count])
    }

    private func merge(_ planes: [UInt8], _ transform: Transform, count: Int) -> [UInt8]? {
        var merged = [UInt8](repeating: 0, count: count)
        var scratch = merged
        let isChunk = planes.withUnsafeBytes { planes in
            merged.withUnsafeMutableBytes { merged in
                scratch.withUnsafeMutableBytes {
                    transform.merge(planes, into: merged, scratch: $0)
                }
            }
        }
        return isChunk ? merged : nil
    }

    /// Fields of a block are all of it.
    @Test(arguments: encodings) func fieldsMakeUpABlock(encoding: Encoding) throws {
        let first = try #require(Transform.candidates(for: encoding).first)
        #expect(
            first.recordByteCount == encoding.bytesPerBlock || first == .none)
    }

    /// The exponent of BF16 has a plane of its own, the sign lies with the mantissa.
    @Test func exponentsLieApart() throws {
        let transform = Transform.candidates(for: .scalar(.bf16))[1]
        #expect(split([0x80, 0x3F, 0x00, 0xC0], transform) == [0, 1, 127, 128])  // 1, -2
    }
}
