import Foundation
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

private let cases: [(encoding: Encoding, columns: Int)] = [
    (.scalar(.f16), 1), (.scalar(.f16), 31), (.scalar(.f16), 576), (.scalar(.bf16), 33),
    (.scalar(.bf16), 100), (.block(.q8_0), 32), (.block(.q8_0), 96), (.block(.q4_0), 32),
    (.block(.q4_0), 576), (.block(.q4_K), 256), (.block(.q4_K), 768), (.block(.q6_K), 256),
    (.block(.q6_K), 512),
]

@Test(arguments: cases, [1, 2, 5])
func dotsOfEncodedRowsHaveTheBitsOfTheirDefinition(
    of format: (encoding: Encoding, columns: Int), rows: Int
) throws {
    let codec = try RowCodec(format.encoding, columns: format.columns)
    var generator = SeededGenerator(seed: UInt64(format.columns * 10 + rows))
    let weights = generator.normals(rows * format.columns)
    let x = generator.normals(format.columns)
    var bytes = [UInt8](repeating: 0, count: rows * codec.rowByteCount)
    var decoded = weights
    var dots = [Float](repeating: .nan, count: rows)
    bytes.withUnsafeMutableBytes { bytes in
        weights.withUnsafeBufferPointer { codec.encode($0, into: bytes) }
        decoded.withUnsafeMutableBufferPointer {
            codec.decode(UnsafeRawBufferPointer(bytes), into: $0)
        }
    }
    try bytes.withUnsafeBytes { bytes in
        let encoded = try #require(EncodedRows(bytes, in: codec))
        x.withUnsafeBufferPointer { x in
            FewVectors.with(x, columns: format.columns, asBlockFloats: encoded.usesBlockFloats) {
                x in
                dots.withUnsafeMutableBufferPointer {
                    if let out = $0.baseAddress {
                        encoded.dots(of: 0..<rows, with: x, 0, into: out)
                    }
                }
            }
        }
    }
    for row in 0..<rows {
        let place = row * format.columns..<(row + 1) * format.columns
        let expected = reference(
            encoded: bytes[row * codec.rowByteCount..<(row + 1) * codec.rowByteCount],
            decoded: Array(decoded[place]), x, format.encoding)
        #expect(dots[row].bitPattern == expected.bitPattern)
    }
}

/// The definition: of blocks with a scale in their first two bytes, from scales and levels.
private func reference(
    encoded: ArraySlice<UInt8>, decoded: [Float], _ x: [Float], _ encoding: Encoding
) -> Float {
    guard encoding == .block(.q8_0) || encoding == .block(.q4_0) else {
        return decoded.withUnsafeBufferPointer { decoded in
            x.withUnsafeBufferPointer { dotReference(decoded, $0) }
        }
    }
    let blocks = decoded.count / 32
    let size = encoded.count / blocks
    let scales = (0..<blocks).map { block in
        let start = encoded.startIndex + block * size
        let bits = UInt16(encoded[start]) | UInt16(encoded[start + 1]) << 8
        return Float(Float16(bitPattern: bits))
    }
    let levels = decoded.indices.map { index in
        let scale = scales[index / 32]
        return scale == 0 ? 0 : Int32((decoded[index] / scale).rounded())
    }
    return BlockFloats(x).dotReference(levels: levels, scales: scales)
}

@Test func digitsOfExtremeNumbersMakeTheirProducts() throws {
    // The largest and smallest of the integers, one alone among zeros, and numbers below the smallest unit.
    let blocks: [[Float]] = [
        (0..<32).map { $0 % 2 == 0 ? 1.0.nextDown : -1.0.nextDown }.map(Float.init),
        (0..<32).map { $0 == 17 ? .greatestFiniteMagnitude : 0 },
        (0..<32).map { Float($0) * .leastNonzeroMagnitude },
        [Float](repeating: 0, count: 32),
        (0..<32).map { pow(-0.5, Float($0)) },
    ]
    let x = blocks.flatMap { $0 }
    let codec = try RowCodec(.block(.q8_0), columns: x.count)
    // Levels of -128 do not come from our own encoder, but may be in a file.
    for code: UInt8 in [0x80, 0x7F, 0x01] {
        let row = blocks.flatMap { _ -> [UInt8] in
            [0x00, 0x3C] + [UInt8](repeating: code, count: 32)
        }
        let levels = [Int32](repeating: Int32(Int8(bitPattern: code)), count: x.count)
        let expected = BlockFloats(x).dotReference(
            levels: levels, scales: [Float](repeating: 1, count: blocks.count))
        #expect(try dot(row, x, in: codec).bitPattern == expected.bitPattern)
    }
}

@Test(arguments: [Float.infinity, -.infinity, .nan])
func whatIsNotFiniteMakesNoNumber(extreme: Float) throws {
    var x = [Float](repeating: 1, count: 160)
    x[70] = extreme
    let codec = try RowCodec(.block(.q4_0), columns: x.count)
    let row = [UInt8](repeating: 0x3C, count: codec.rowByteCount)
    #expect(try dot(row, x, in: codec).isNaN)
}

/// The errors of products in integers are below three millionths of the products' size, both as root mean squares.
@Test(arguments: [BlockEncoding.q8_0, .q4_0])
func blockFloatsLoseMillionths(format: BlockEncoding) throws {
    let columns = 1536
    let codec = try RowCodec(.block(format), columns: columns)
    var generator = SeededGenerator(seed: 7)
    var (errors, products) = (0.0, 0.0)
    for _ in 0..<200 {
        let weights = generator.normals(columns)
        // As activations are: a few are a hundred times as large as the others.
        let x = generator.normals(columns).enumerated().map { $0 % 97 == 5 ? 100 * $1 : $1 }
        var row = [UInt8](repeating: 0, count: codec.rowByteCount)
        var decoded = weights
        row.withUnsafeMutableBytes { bytes in
            weights.withUnsafeBufferPointer { codec.encode($0, into: bytes) }
            decoded.withUnsafeMutableBufferPointer {
                codec.decode(UnsafeRawBufferPointer(bytes), into: $0)
            }
        }
        let exact = zip(decoded, x).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        errors += pow(try Double(dot(row, x, in: codec)) - exact, 2)
        products += pow(exact, 2)
    }
    #expect((errors / products).squareRoot() < 3e-6)
}

private func dot(_ row: [UInt8], _ x: [Float], in codec: RowCodec) throws -> Float {
    var result = Float.zero
    try row.withUnsafeBytes { bytes in
        let encoded = try #require(EncodedRows(bytes, in: codec))
        x.withUnsafeBufferPointer { x in
            FewVectors.with(x, columns: codec.columns, asBlockFloats: encoded.usesBlockFloats) {
                encoded.dots(of: 0..<1, with: $0, 0, into: &result)
            }
        }
    }
    return result
}

@Test func encodingsWithoutAKernelSaySo() throws {
    let codec = try RowCodec(.block(.iq4_nl), columns: 32)
    let bytes = [UInt8](repeating: 0, count: codec.rowByteCount)
    bytes.withUnsafeBytes { #expect(EncodedRows($0, in: codec) == nil) }
}
