import ByteIO
import TensorIR
import TestSupport
import Testing

/// Holds what a reader found against what `expected.json` says of a valid vector.
func expect(_ checkpoint: Checkpoint, toBe expected: JSON) throws {
    let tensors = try #require(expected["tensors"]?.array)
    #expect(checkpoint.tensors.map(\.descriptor.name) == tensors.map { $0["name"]?.string })
    for (tensor, claim) in zip(checkpoint.tensors, tensors) {
        let descriptor = tensor.descriptor
        #expect(descriptor.encoding.description == claim["encoding"]?.string)
        #expect(descriptor.shape == claim["shape"]?.array?.compactMap(\.integer))
        let hex = try tensor.bytes().map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        #expect(hex.joined() == claim["bytes"]?.string)
    }
}

/// Holds the error that a reader threw against what `expected.json` says of an invalid vector.
func expect(_ error: FormatError?, toBe expected: JSON) {
    #expect(error?.code.rawValue == expected["code"]?.string)
    #expect(error?.subject == expected["subject"]?.string)
    #expect(error?.offset == expected["offset"]?.integer)
    #expect(error?.path != nil)
}

/// Compares all that a model holds, whatever file it lies in.
func expectSame(_ first: Checkpoint, _ second: Checkpoint) throws {
    #expect(first.metadata == second.metadata)
    #expect(first.tensors.map(\.descriptor) == second.tensors.map(\.descriptor))
    for (one, other) in zip(first.tensors, second.tensors) {
        #expect(try one.bytes() == other.bytes())
    }
}
