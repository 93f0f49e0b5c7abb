import TensorIR
import Testing

@testable import BlockFormats

/// Against blocks that the official packages made: Formats/GGUF/Vectors/blocks.
@Suite struct VectorTests {
    @Test(arguments: [ScalarType.f16, .bf16]) func scalarsMatchTheBytesThatGGUFPyMade(
        type: ScalarType
    ) throws {
        let weights = try BlockVectors.floats("weights")
        let expected = try BlockVectors.bytes("\(type.rawValue).encoded")
        #expect(try encode(weights, .scalar(type)) == expected)
        let decoded = try decode(expected, .scalar(type), columns: weights.count)
        #expect(
            decoded.bitPatterns == (try BlockVectors.floats("\(type.rawValue).decoded").bitPatterns)
        )
    }

    @Test(arguments: encodableBlocks) func encodersMatchTheReferenceEncoders(
        type: BlockEncoding
    ) throws {
        let weights = try BlockVectors.floats("weights")
        #expect(try encode(weights, .block(type)) == BlockVectors.bytes("\(type.rawValue).encoded"))
    }

    /// Their files go on with blocks of any bits, which no encoder makes.
    @Test(arguments: [BlockEncoding.tq1_0, .tq2_0, .mxfp4, .nvfp4])
    func smallGridsMatchTheReferenceEncoders(type: BlockEncoding) throws {
        let mine = try encode(BlockVectors.floats("weights"), .block(type))
        let expected = try BlockVectors.bytes("\(type.rawValue).encoded")
        #expect(mine == Array(expected.prefix(mine.count)))
        #expect(mine.count < expected.count)
    }

    @Test(arguments: decodableBlocks) func decodersMatchGGUFPyInEveryBit(
        type: BlockEncoding
    ) throws {
        let bytes = try BlockVectors.bytes("\(type.rawValue).encoded")
        let expected = try BlockVectors.floats("\(type.rawValue).decoded")
        let decoded = try decode(bytes, .block(type), columns: expected.count)
        #expect(decoded.bitPatterns == expected.bitPatterns)
    }
}
