import BlockFormats
import TensorIR
import TestSupport
import Testing

@testable import Conversion

private let columns = 512

/// Random weights on the grid of an encoding, and their bytes, or nil where there is no encoder.
private func example(_ encoding: BlockEncoding) throws -> (weights: [Float], bytes: [UInt8])? {
    guard let codec = try? RowCodec(.block(encoding), columns: columns), codec.canEncode else {
        return nil
    }
    var generator = SeededGenerator(seed: 4)
    var weights = generator.normals(2 * columns)
    var bytes = [UInt8](repeating: 0, count: 2 * codec.rowByteCount)
    bytes.withUnsafeMutableBytes { bytes in
        weights.withUnsafeMutableBufferPointer { weights in
            codec.encode(UnsafeBufferPointer(weights), into: bytes)
            codec.decode(UnsafeRawBufferPointer(bytes), into: weights)
        }
    }
    return (weights, bytes)
}

/// Moves the rows, and returns the decoded result with the number of changes that was told.
private func moved(
    _ bytes: [UInt8], from source: BlockEncoding, to target: BlockEncoding
) throws -> (weights: [Float], changed: Int) {
    let codec = try RowCodec(.block(target), columns: columns)
    let regrid = try Regrid(from: .block(source), to: .block(target), columns: columns)
    var result = [UInt8](repeating: 0, count: 2 * codec.rowByteCount)
    let changed = bytes.withUnsafeBytes { bytes in
        result.withUnsafeMutableBytes { regrid.encode(bytes, into: $0) }
    }
    var weights = [Float](repeating: 0, count: 2 * columns)
    result.withUnsafeBytes { result in
        weights.withUnsafeMutableBufferPointer { codec.decode(result, into: $0) }
    }
    return (weights, changed)
}

/// From every encoding that has an encoder to every other.
@Test(arguments: BlockEncoding.allCases) func whatMovingChangesIsCounted(source: BlockEncoding)
    throws
{
    guard let (weights, bytes) = try example(source) else { return }
    for target in BlockEncoding.allCases where try example(target) != nil {
        let result = try moved(bytes, from: source, to: target)
        #expect(result.changed == zip(weights, result.weights).count { $0 != $1 }, "to \(target)")
    }
}

@Test(arguments: [
    (BlockEncoding.q4_0, BlockEncoding.q5_0), (.q4_0, .q8_0), (.q5_0, .q8_0), (.tq2_0, .tq1_0),
])
func widerGridsTakeOverWhatNarrowerOnesHold(source: BlockEncoding, target: BlockEncoding) throws {
    let (weights, bytes) = try #require(try example(source))
    let result = try moved(bytes, from: source, to: target)
    #expect(result.changed == 0 && result.weights == weights)
}
