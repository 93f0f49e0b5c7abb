import CKernels
import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

@Suite struct ScalarTests {
    @Test func everyHalfDecodesAsSwiftSays() throws {
        let halves = (0...UInt16.max).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        let expected = (0...UInt16.max).map { Float(Float16(bitPattern: $0)) }
        #expect(
            try decode(halves, .scalar(.f16), columns: 65536).bitPatterns == expected.bitPatterns)
        // Fewer than the kernel takes at once.
        for bits in stride(from: UInt16(0), to: .max, by: 97) {
            let half = [UInt8(bits & 0xFF), UInt8(bits >> 8)]
            let single = try decode(half, .scalar(.f16), columns: 1)[0]
            #expect(single.bitPattern == Float(Float16(bitPattern: bits)).bitPattern)
        }
    }

    /// Every half, its neighbours, the ties between two, and floats of any bits.
    static let singles: [Float] = {
        var generator = SeededGenerator(seed: 6)
        let halves = (0..<UInt16(0x7C00)).map { Float(Float16(bitPattern: $0)) }
        let ties = zip(halves, halves.dropFirst()).map { ($0 + $1) / 2 }
        let near = (halves + ties).flatMap { [$0, $0.nextUp, $0.nextDown] }
        let any = (0..<100_000).map { _ in
            Float(bitPattern: .random(in: 0...UInt32.max, using: &generator))
        }
        let extremes: [Float] = [
            .nan, .signalingNaN, -.nan, .infinity, .greatestFiniteMagnitude, 65519.996, 65520,
            65504,
            .leastNonzeroMagnitude, .leastNormalMagnitude, -0.0,
        ]
        return (near + near.map(-) + any + extremes)
    }()

    @Test func singlesBecomeTheHalvesThatSwiftSays() throws {
        let bytes = try encode(Self.singles, .scalar(.f16))
        let expected = Self.singles.map { Float16($0).bitPattern }
        #expect(bytes == expected.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
        for i in stride(from: 0, to: Self.singles.count, by: 101) {
            let one = try encode([Self.singles[i]], .scalar(.f16))
            #expect(one == [UInt8(expected[i] & 0xFF), UInt8(expected[i] >> 8)])
        }
    }

    @Test func bfloat16IsTheNearestAndKeepsNaN() throws {
        for single in Self.singles {
            let rounded = Float(bitPattern: UInt32(BF16.bits(single)) << 16)
            guard single.isFinite else {
                #expect(rounded.isNaN == single.isNaN && rounded.sign == single.sign)
                continue
            }
            // The neighbours with the lower half cleared, towards zero and away from it.
            let below = Float(bitPattern: single.bitPattern & 0xFFFF_0000)
            let above = Float(bitPattern: below.bitPattern + 0x1_0000)
            let tie = single.bitPattern & 0xFFFF == 0x8000
            let isUpper =
                tie ? below.bitPattern >> 16 & 1 == 1 : single.bitPattern & 0xFFFF > 0x8000
            #expect(rounded.bitPattern == (isUpper ? above : below).bitPattern)
        }
    }

    @Test func eightBitFloatsHaveTheValuesOfTheirDefinition() {
        #expect(Float8<E4M3>.value(0x7E) == 448)
        #expect(Float8<E4M3>.value(0x01) == 0x1p-9)
        #expect(Float8<E4M3>.value(0x38) == 1)
        #expect(Float8<E4M3>.value(0xFF).isNaN)
        #expect(Float8<E5M2>.value(0x7B) == 57344)
        #expect(Float8<E5M2>.value(0x01) == 0x1p-16)
        #expect(Float8<E5M2>.value(0xFC) == -.infinity)
        #expect(Float8<E5M2>.value(0x7D).isNaN)
    }

    @Test func eightBitFloatsAreTheNearest() {
        expectNearest(Float8<E4M3>.self, largest: E4M3.largestCode)
        expectNearest(Float8<E5M2>.self, largest: E5M2.largestCode)
    }

    private func expectNearest<Shape>(_ type: Float8<Shape>.Type, largest: UInt8) {
        let values = (0...largest).map { type.value($0) }
        let limit = values[Int(largest)]
        for (code, value) in values.enumerated() {
            #expect(type.code(value) == UInt8(code))
            #expect(type.code(-value) == UInt8(code) | 0x80)
        }
        for (code, (low, high)) in zip(values, values.dropFirst()).enumerated() {
            let tie = (low + high) / 2
            #expect(type.code(tie) == UInt8(code + code % 2))
            #expect(type.code(tie.nextDown) == UInt8(code))
            #expect(type.code(tie.nextUp) == UInt8(code + 1))
        }
        for beyond in [limit.nextUp, limit * 2, .greatestFiniteMagnitude, .infinity] {
            #expect(type.code(beyond) == largest)
            #expect(type.code(-beyond) == largest | 0x80)
        }
        #expect(type.value(type.code(.nan)).isNaN)
        #expect(type.code(.leastNonzeroMagnitude) == 0)
    }

    @Test func integersAndTruthValuesDecode() throws {
        #expect(
            try decode([0xFF, 0x7F, 0x00, 0x80], .scalar(.i16), columns: 2) == [32767, -32768])
        #expect(try decode([0x80, 0x7F], .scalar(.i8), columns: 2) == [-128, 127])
        #expect(try decode([0x80, 0x7F], .scalar(.u8), columns: 2) == [128, 127])
        let ones = [UInt8](repeating: 0xFF, count: 8)
        #expect(try decode(ones, .scalar(.u64), columns: 1) == [0x1p64])
        #expect(try decode(ones, .scalar(.i64), columns: 1) == [-1])
        #expect(try decode(ones, .scalar(.u32), columns: 2) == [0x1p32, 0x1p32])
        #expect(try decode([0, 1, 7], .scalar(.bool), columns: 3) == [0, 1, 1])
    }

    @Test(arguments: [ScalarType.f64, .f32]) func widerFloatsKeepEveryBit(type: ScalarType) throws {
        let numbers = Self.singles.filter { !$0.isNaN }
        let decoded = try decode(
            encode(numbers, .scalar(type)), .scalar(type), columns: numbers.count)
        #expect(decoded.bitPatterns == numbers.bitPatterns)
    }
}
