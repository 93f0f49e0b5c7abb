import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import BlockFormats

/// The vectors that the official packages made.
enum BlockVectors {
    static func bytes(_ name: String) throws -> [UInt8] {
        let path = "\(Repository.root)/Formats/GGUF/Vectors/blocks/\(name).bin"
        let file = try MappedFile(path: path)
        return withExtendedLifetime(file) { [UInt8](file.bytes) }
    }

    static func floats(_ name: String) throws -> [Float] {
        try bytes(name).withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { Float(bitPattern: bytes.word(at: 4 * $0)) }
        }
    }
}

/// Encodes one row.
func encode(_ weights: [Float], _ encoding: Encoding) throws -> [UInt8] {
    let codec = try RowCodec(encoding, columns: weights.count)
    var bytes = [UInt8](repeating: 0xA5, count: codec.rowByteCount)
    weights.withUnsafeBufferPointer { weights in
        bytes.withUnsafeMutableBytes { codec.encode(weights, into: $0) }
    }
    return bytes
}

/// Decodes one row of `columns` weights.
func decode(_ bytes: [UInt8], _ encoding: Encoding, columns: Int) throws -> [Float] {
    let codec = try RowCodec(encoding, columns: columns)
    var weights = [Float](repeating: .nan, count: columns)
    bytes.withUnsafeBytes { bytes in
        weights.withUnsafeMutableBufferPointer { codec.decode(bytes, into: $0) }
    }
    return weights
}

extension [Float] {
    /// Equal in every bit, so that NaN equals itself and the zeros differ.
    var bitPatterns: [UInt32] { map(\.bitPattern) }
}

/// The block encodings that can be written.
let encodableBlocks: [BlockEncoding] = [.q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl]

/// Every block encoding that can be read.
let decodableBlocks = BlockEncoding.allCases.filter { $0.format != nil }

/// Grouped encodings of every width, with group sizes that leave bits and columns over.
let groupedEncodings: [GroupedAffine] = (2...8).flatMap { bits in
    [GroupedAffine.Offset.symmetric, .zeroPoint, .bias].flatMap { offset in
        [(1, .f32), (7, .bf16), (32, .f16), (128, .f32)].map { groupSize, scaleType in
            GroupedAffine(bits: bits, groupSize: groupSize, offset: offset, scaleType: scaleType)
        }
    }
}
