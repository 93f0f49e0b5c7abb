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
                let ends = planes.withUnsafeBytes { transform.planeEnds(in: $0, of: count) }
                #expect(ends == ends.sorted() && ends.last ?? 0 <= planes.count)
            }
        }
    }

    /// Groups of few values and of many, apart from each other by other fields.
    @Test(arguments: [1, 2, 4], [32, 96]) func palettesComeBack(width: Int, elements: Int) {
        var generator = SeededGenerator(seed: 8)
        let before = elements == 32 ? [3] : []
        let transform = Transform(fields: before + [width * elements], paletteWidth: width)
        for groups in [1, 15, 16, 17, 40] {
            for fewest in [1, 14, 17] {
                let bytes = (0..<groups).flatMap { _ -> [UInt8] in
                    let values = (0..<Int.random(in: fewest...18, using: &generator)).map { _ in
                        (0..<width).map { _ in UInt8.random(in: 0...255, using: &generator) }
                    }
                    return before.flatMap { [UInt8](repeating: 1, count: $0) }
                        + (0..<elements).flatMap { number in
                            number < values.count
                                ? values[number] : values.randomElement(using: &generator) ?? []
                        }
                }
                let planes = split(bytes + [1, 2], transform)
                #expect(merge(planes, transform, count: bytes.count + 2) == bytes + [1, 2])
                #expect(planes.count <= transform.capacity(of: bytes.count + 2))
                let ends = planes.withUnsafeBytes {
                    transform.planeEnds(in: $0, of: bytes.count + 2)
                }
                #expect(ends == ends.sorted() && ends.last ?? 0 <= planes.count)
            }
        }
    }

    /// What C finds is what the definition says, and so is what it makes of that again.
    @Test(arguments: [1, 2, 4]) func palettesAreThoseOfTheDefinition(width: Int) {
        var generator = SeededGenerator(seed: 12)
        let transform = Transform(fields: [32 * width], paletteWidth: width)
        let bits = 8 * width
        for count in 1...16 {
            let values = (0..<count).map { _ in Int32.random(in: .min ... .max, using: &generator) }
            let elements = (0..<32).map { _ in
                (values.randomElement(using: &generator) ?? 0) >> Int32(32 - bits)
            }
            let bytes = elements.flatMap { element in
                (0..<width).map { UInt8(truncatingIfNeeded: element >> Int32(8 * $0)) }
            }
            guard let (differences, numbers) = Palettes.definition(elements) else {
                Issue.record("\(count) values are too many")
                continue
            }
            let table = differences.flatMap { difference in
                (0..<width).map { UInt8(truncatingIfNeeded: difference >> Int32(8 * $0)) }
            }
            let codes = (0..<16).map { UInt8(numbers[2 * $0] | numbers[2 * $0 + 1] << 4) }
            #expect(split(bytes, transform) == [0] + table + codes)
            #expect(Palettes.elements(differences: differences, numbers: numbers) == elements)
            #expect(merge([0] + table + codes, transform, count: bytes.count) == bytes)
        }
    }

    /// Whatever a file says that planes are, they make a chunk or they do not.
    @Test(arguments: [
        Transform(fields: [1, 1], turnsSign: true, pairsExponents: true),
        Transform(fields: [1, 1, 1, 1], turnsSign: true, pairsExponents: true),
        Transform(fields: [1, 32], paletteWidth: 1),
    ]) func otherPlanesAreRefusedOrRead(transform: Transform) {
        var generator = SeededGenerator(seed: 9)
        for count in 0..<70 {
            for size in 0...transform.capacity(of: count) + 3 {
                let planes = (0..<size).map { _ -> UInt8 in
                    [0xFF, 0x0F, 0xF0, 0x11, 0, 0, 1].randomElement(using: &generator) ?? 0
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
