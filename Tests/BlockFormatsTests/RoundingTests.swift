import TestSupport
import Testing

@testable import BlockFormats

@Suite struct RoundingTests {
    /// Every half and its neighbours between -300 and 300, and numbers in between.
    private static let values: [Float] = {
        var generator = SeededGenerator(seed: 7)
        let halves = (-600...600).map { Float($0) / 2 }
        let between = (0..<10_000).map { _ in Float.random(in: -300...300, using: &generator) }
        return halves + halves.map(\.nextUp) + halves.map(\.nextDown) + between
    }()

    @Test func roundsTiesAwayFromZero() {
        for value in Self.values { #expect(roundedAway(value) == Int32(value.rounded())) }
    }

    @Test func roundsDown() {
        for value in Self.values { #expect(roundedDown(value) == Int32(value.rounded(.down))) }
    }

    /// All halves as floats, what lies in the middle between two, and the neighbours of these.
    @Test func halvesAreThoseOfTheStandardLibrary() {
        for bits in UInt16.min..<0x7C00 {
            let value = Float(Float16(bitPattern: bits))
            let middle = (value + Float(Float16(bitPattern: bits + 1))) / 2
            for number in [value, middle, middle.nextUp, middle.nextDown] {
                #expect(halfBits(number) == Float16(number).bitPattern)
                #expect(halfBits(-number) == Float16(-number).bitPattern)
            }
        }
        #expect(halfBits(.infinity) == 0x7C00)
        #expect(halfBits(65519.99) == 0x7BFF)
        #expect(halfBits(65520) == 0x7C00)
    }

    @Test func codesAreClamped() {
        for value in Self.values {
            let expected = UInt8(max(0, min(15, value.rounded(.down))))
            #expect(code(value, maximum: 15) == expected)
        }
        #expect(code(.nan, maximum: 15) == 0)
        #expect(code(.infinity, maximum: 15) == 15)
        #expect(code(-.infinity, maximum: 15) == 0)
    }
}
