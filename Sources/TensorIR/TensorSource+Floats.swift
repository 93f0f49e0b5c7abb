extension TensorSource {
    /// The elements of a small tensor of 32-bit or 16-bit floats.
    ///
    /// - Throws: `ModelError` for another encoding.
    public func floats() throws -> [Float] {
        guard case .scalar(let type) = descriptor.encoding else { throw notFloat() }
        func elements<Bits: FixedWidthInteger>(
            _ bytes: [UInt8], _ convert: (Bits) -> Float
        ) -> [Float] {
            bytes.withUnsafeBytes { raw in
                stride(from: 0, to: raw.count, by: MemoryLayout<Bits>.size).map {
                    convert(
                        Bits(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: Bits.self)))
                }
            }
        }
        switch type {
        case .f32: return elements(try bytes()) { Float(bitPattern: $0) }
        case .f16: return elements(try bytes()) { Float(Float16(bitPattern: $0)) }
        case .bf16:
            return elements(try bytes()) { (bits: UInt16) in
                Float(bitPattern: UInt32(bits) << 16)
            }
        default: throw notFloat()
        }
    }

    /// The same, each of them positive.
    public func positiveFloats() throws -> [Float] {
        let values = try floats()
        guard values.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw ModelError(
                "tensor '\(descriptor.name)' holds a factor that is not positive")
        }
        return values
    }

    private func notFloat() -> ModelError {
        ModelError("tensor '\(descriptor.name)' must be F32, F16 or BF16")
    }
}

extension BufferedTensor {
    /// A vector of 32-bit floats.
    public init(_ name: String, floats: [Float]) throws {
        guard
            let descriptor = TensorDescriptor(
                name: name, shape: [floats.count], encoding: .scalar(.f32))
        else { throw ModelError("tensor '\(name)' of \(floats.count) elements cannot be held") }
        let bytes = floats.flatMap { value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
        }
        self.init(descriptor, bytes: bytes)
    }
}
