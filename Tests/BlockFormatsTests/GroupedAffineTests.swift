import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

@Suite struct GroupedAffineTests {
    /// 301 columns are no multiple of any group size but 1 and 7.
    private static let weights: [Float] = {
        var generator = SeededGenerator(seed: 4)
        return generator.normals(301)
    }()

    /// Half a step of the stored scale; a whole one at the end of a symmetric grid that has no twin.
    @Test(arguments: groupedEncodings) func errorsStayWithinTheirBound(
        grouped: GroupedAffine
    ) throws {
        let encoding = Encoding.grouped(grouped)
        let bytes = try encode(Self.weights, encoding)
        let decoded = try decode(bytes, encoding, columns: Self.weights.count)
        try bytes.withUnsafeBytes { bytes in
            for (i, weight) in Self.weights.enumerated() {
                let group = bytes.part(i / grouped.groupSize, of: grouped.bytesPerGroup)
                let scale = group.number(grouped.scaleType, at: 0).magnitude
                try #require(scale > 0 || grouped.groupSize == 1)
                // At the ends of the range, what the roundings of scale and bias cut off comes on top:
                // a bfloat16 keeps eight bits.
                let precision: Float = grouped.scaleType == .bf16 ? 0x1p-8 : 0x1p-11
                let steps: Float = grouped.offset == .symmetric ? 1 : 0.5
                let range = scale * Float(grouped.maximumCode) + weight.magnitude
                #expect((decoded[i] - weight).magnitude <= steps * scale + range * precision)
            }
        }
    }

    @Test(arguments: groupedEncodings) func unusedRoomIsZero(grouped: GroupedAffine) throws {
        let bytes = try encode([1, -1, 0.5], .grouped(grouped))
        let usedBits = min(3, grouped.groupSize) * grouped.bits
        let groups = (3 + grouped.groupSize - 1) / grouped.groupSize
        guard groups == 1 else { return }
        for bit in usedBits..<(grouped.bytesPerGroup - grouped.codesOffset) * 8 {
            #expect(bytes[grouped.codesOffset + bit / 8] >> UInt8(bit % 8) & 1 == 0)
        }
    }

    @Test func bytesAreAsSpecified() throws {
        // Scale 1/4, zero point 3: codes 0, 3, 7 are -3/4, 0, 1; three bits each, low bit first.
        let encoding = Encoding.grouped(
            GroupedAffine(bits: 3, groupSize: 3, offset: .zeroPoint, scaleType: .f32))
        let bytes: [UInt8] = [0x00, 0x00, 0x80, 0x3E, 3, 0b1101_1000, 0b1]
        #expect(try encode([-0.75, 0, 1], encoding) == bytes)
        #expect(try decode(bytes, encoding, columns: 3) == [-0.75, 0, 1])
    }

    /// Where the range has two ends, rounding the scale may leave one of the end codes unused, and the
    /// range shrinks by a step when it is measured again; the extreme of a symmetric group stays.
    @Test(arguments: groupedEncodings.filter { $0.offset == .symmetric })
    func encodingDecodedWeightsAgainKeepsThem(grouped: GroupedAffine) throws {
        let encoding = Encoding.grouped(grouped)
        let columns = Self.weights.count
        let once = try decode(encode(Self.weights, encoding), encoding, columns: columns)
        #expect(try decode(encode(once, encoding), encoding, columns: columns) == once)
    }
}
