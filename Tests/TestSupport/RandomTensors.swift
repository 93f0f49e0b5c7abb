import Architectures
import TensorIR

extension DecoderDescription {
    /// Seeded tensors for every role that the description asks for, in single precision.
    ///
    /// Matrices keep their inputs' size, gains are near 1 and biases near 0, so that no option drowns
    /// in another.
    public func randomTensors(seed: UInt64) throws -> [TensorRole: BufferedTensor] {
        var generator = SeededGenerator(seed: seed)
        return requiredRoles.reduce(into: [:]) { tensors, role in
            let shape = shape(of: role)
            let isGain = role.module.isNorm && role.parameter == .weight
            let width = role.parameter == .bias || isGain ? 16 : shape.last ?? 1
            let scale = 1 / Float(width).squareRoot()
            let center = isGain ? 1 - norm.gainOffset : 0
            let values = generator.normals(shape.reduce(1, *)).map { center + scale * $0 }
            guard
                let descriptor = TensorDescriptor(
                    name: "\(role)", shape: shape, encoding: .scalar(.f32))
            else { return }
            tensors[role] = BufferedTensor(
                descriptor, bytes: values.withUnsafeBytes { Array($0) })
        }
    }
}

extension BufferedTensor {
    /// The elements of a tensor in single precision.
    public var floats: [Float] {
        storage.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
            }
        }
    }
}
