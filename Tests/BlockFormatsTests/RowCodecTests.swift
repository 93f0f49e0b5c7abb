import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

@Suite struct RowCodecTests {
    @Test func refusesRowsThatAreNotWholeBlocks() {
        #expect(throws: UnsupportedEncoding.self) { try RowCodec(.block(.q4_0), columns: 33) }
        #expect(throws: UnsupportedEncoding.self) { try RowCodec(.block(.q6_K), columns: 32) }
        #expect(throws: UnsupportedEncoding.self) { try RowCodec(.scalar(.f32), columns: -1) }
    }

    @Test func refusesEncodingsWithoutADecoder() {
        #expect(throws: UnsupportedEncoding.self) { try RowCodec(.block(.q8_K), columns: 256) }
    }

    @Test(arguments: ScalarType.allCases) func onlyFloatingPointScalarsAreEncoded(
        type: ScalarType
    ) throws {
        #expect(try RowCodec(.scalar(type), columns: 1).canEncode == type.isFloatingPoint)
    }

    @Test(arguments: decodableBlocks) func formatsAgreeWithTheIRAboutSizes(
        type: BlockEncoding
    ) throws {
        let format = try #require(type.format)
        #expect(format.weightsPerBlock == type.weightsPerBlock)
        #expect(format.bytesPerBlock == type.bytesPerBlock)
    }

    @Test(arguments: [Encoding.block(.q5_0), .scalar(.f16), .scalar(.f8_e4m3)])
    func rowsAreIndependent(encoding: Encoding) throws {
        var generator = SeededGenerator(seed: 1)
        let weights = generator.normals(3 * 64)
        let rows = try stride(from: 0, to: 192, by: 64).flatMap {
            try encode([Float](weights[$0..<$0 + 64]), encoding)
        }
        #expect(try encode(weights, encoding) == rows)
    }

    @Test func noRowsAndEmptyRowsAreNothing() throws {
        #expect(try encode([], .block(.q4_0)).isEmpty)
        #expect(try decode([], .scalar(.f32), columns: 0).isEmpty)
    }

    /// Decoding sees whatever a file holds; encoding has a contract, but no trap when it is broken.
    @Test(
        arguments: encodableBlocks.map { Encoding.block($0) }
            + ScalarType.allCases.filter(\.isFloatingPoint).map { Encoding.scalar($0) }
            + groupedEncodings.map { Encoding.grouped($0) })
    func noFloatTraps(encoding: Encoding) throws {
        let extremes: [Float] = [
            .nan, -.nan, .infinity, -.infinity, .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
            .leastNormalMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0, -0.0, 1,
        ]
        var generator = SeededGenerator(seed: 2)
        for count in 1...extremes.count {
            let row = (0..<64).map { _ in extremes[..<count].randomElement(using: &generator) ?? 0 }
            _ = try decode(encode(row, encoding), encoding, columns: row.count)
        }
        for extreme in extremes {
            let row = [Float](repeating: extreme, count: 64)
            _ = try decode(encode(row, encoding), encoding, columns: row.count)
        }
    }

    @Test(arguments: decodableBlocks) func noBytesTrap(type: BlockEncoding) throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<64 {
            let block = (0..<type.bytesPerBlock).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = try decode(block, .block(type), columns: type.weightsPerBlock)
        }
    }
}
