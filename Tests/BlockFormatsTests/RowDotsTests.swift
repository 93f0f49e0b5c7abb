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
func dotsOfEncodedRowsHaveTheBitsOfDecodedOnes(
    of format: (encoding: Encoding, columns: Int), rows: Int
) throws {
    let codec = try RowCodec(format.encoding, columns: format.columns)
    try #require(codec.hasDots)
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
        try x.withUnsafeBufferPointer { x in
            let first = try #require(x.baseAddress)
            try dots.withUnsafeMutableBufferPointer {
                codec.dots(of: bytes, with: first, into: try #require($0.baseAddress))
            }
            for row in 0..<rows {
                let expected = decoded.withUnsafeBufferPointer { decoded in
                    dotReference(
                        UnsafeBufferPointer(
                            rebasing: decoded[row * format.columns..<(row + 1) * format.columns]),
                        x)
                }
                #expect(dots[row].bitPattern == expected.bitPattern)
            }
        }
    }
}

@Test func encodingsWithoutAKernelSaySo() throws {
    #expect(try !RowCodec(.block(.iq4_nl), columns: 32).hasDots)
}
