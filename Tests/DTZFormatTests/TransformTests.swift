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
                var planes = [UInt8](repeating: 0, count: count)
                var merged = planes
                bytes.withUnsafeBytes { bytes in
                    planes.withUnsafeMutableBytes { transform.split(bytes, into: $0) }
                }
                planes.withUnsafeBytes { planes in
                    merged.withUnsafeMutableBytes { transform.merge(planes, into: $0) }
                }
                #expect(merged == bytes, "\(transform) of \(count) bytes")
                #expect(planes.sorted() == bytes.sorted() || transform.turnsSign)
                #expect(count == 0 || transform.planeEnds(of: count).last == count)
            }
        }
    }

    /// Fields of a block are all of it.
    @Test(arguments: encodings) func fieldsMakeUpABlock(encoding: Encoding) throws {
        let first = try #require(Transform.candidates(for: encoding).first)
        #expect(
            first.recordByteCount == encoding.bytesPerBlock || first == .none)
    }

    /// The exponent of BF16 has a plane of its own, the sign lies with the mantissa.
    @Test func exponentsLieApart() throws {
        let transform = try #require(Transform.candidates(for: .scalar(.bf16)).first)
        let bytes: [UInt8] = [0x80, 0x3F, 0x00, 0xC0]  // 1, -2
        var planes = [UInt8](repeating: 0, count: 4)
        bytes.withUnsafeBytes { bytes in
            planes.withUnsafeMutableBytes { transform.split(bytes, into: $0) }
        }
        #expect(planes == [0, 1, 127, 128])
    }
}
