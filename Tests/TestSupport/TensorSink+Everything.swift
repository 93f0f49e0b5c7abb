import TensorIR

extension TensorSink {
    /// Writes whole tensors in the order of their descriptors and finishes.
    public func writeEverything(_ tensors: [any TensorSource]) throws {
        for (index, tensor) in tensors.enumerated() {
            try tensor.withBytes(rows: 0..<tensor.descriptor.rows) {
                try write($0, tensor: index, at: 0)
            }
        }
        try finish()
    }
}

/// A tensor with seeded bytes, whatever they mean.
public func seededTensor(
    _ name: String, _ shape: [Int], _ encoding: Encoding, seed: UInt64 = 1
) throws -> BufferedTensor {
    guard let descriptor = TensorDescriptor(name: name, shape: shape, encoding: encoding) else {
        throw ModelError("no tensor '\(name)' of shape \(shape) and \(encoding)")
    }
    var generator = SeededGenerator(seed: seed)
    let bytes = (0..<descriptor.byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return BufferedTensor(descriptor, bytes: bytes)
}
