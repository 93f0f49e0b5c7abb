import CKernels
import Kernels
import TensorIR

/// How numbers of each type become floats, and back where they can.
///
/// The switches name concrete types, so that each loop is compiled for its type. Offsets are
/// computed with wrapping arithmetic: checks would keep the loops from being vectorized (6 instead
/// of 27 GB/s).
extension ScalarType {
    func decode(_ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>) {
        switch self {
        case .f64: F64.decode(bytes, into: weights)
        case .f32: F32.decode(bytes, into: weights)
        case .f16: F16.decode(bytes, into: weights)
        case .bf16: BF16.decode(bytes, into: weights)
        case .f8_e4m3: Float8<E4M3>.decode(bytes, into: weights)
        case .f8_e5m2: Float8<E5M2>.decode(bytes, into: weights)
        case .i64: Integers<Int64>.decode(bytes, into: weights)
        case .i32: Integers<Int32>.decode(bytes, into: weights)
        case .i16: Integers<Int16>.decode(bytes, into: weights)
        case .i8: Integers<Int8>.decode(bytes, into: weights)
        case .u64: Integers<UInt64>.decode(bytes, into: weights)
        case .u32: Integers<UInt32>.decode(bytes, into: weights)
        case .u16: Integers<UInt16>.decode(bytes, into: weights)
        case .u8: Integers<UInt8>.decode(bytes, into: weights)
        case .bool: for i in weights.indices { weights[i] = bytes[i] == 0 ? 0 : 1 }
        }
    }

    /// - Precondition: `isFloatingPoint`; rounding to an integer without a scale encodes no weights.
    func encode(_ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer) {
        switch self {
        case .f64: F64.encode(weights, into: bytes)
        case .f32: F32.encode(weights, into: bytes)
        case .f16: F16.encode(weights, into: bytes)
        case .bf16: BF16.encode(weights, into: bytes)
        case .f8_e4m3: Float8<E4M3>.encode(weights, into: bytes)
        case .f8_e5m2: Float8<E5M2>.encode(weights, into: bytes)
        case .i64, .i32, .i16, .i8, .u64, .u32, .u16, .u8, .bool:
            preconditionFailure("integers are only ever read")
        }
    }
}

/// IEEE 754 double, little-endian; rounded to the nearest float, ties to even.
enum F64 {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self)
            weights[i] = Float(Double(bitPattern: UInt64(littleEndian: bits)))
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        for i in weights.indices {
            let bits = Double(weights[i]).bitPattern.littleEndian
            bytes.storeBytes(of: bits, toByteOffset: i &* 8, as: UInt64.self)
        }
    }
}

/// IEEE 754 single, little-endian.
enum F32 {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: i &* 4, as: UInt32.self)
            weights[i] = Float(bitPattern: UInt32(littleEndian: bits))
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        for i in weights.indices {
            let bits = weights[i].bitPattern.littleEndian
            bytes.storeBytes(of: bits, toByteOffset: i &* 4, as: UInt32.self)
        }
    }
}

/// The upper half of an IEEE 754 single, little-endian; encoding rounds to nearest, ties to even.
enum BF16 {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self)
            weights[i] = Float(bitPattern: UInt32(UInt16(littleEndian: bits)) << 16)
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        guard let source = weights.baseAddress, let target = bytes.baseAddress else { return }
        // The kernel stores without regard to alignment, as in files.
        detent_f32_to_bf16(source, target.assumingMemoryBound(to: UInt16.self), weights.count)
    }

    /// What `encode` makes of one weight.
    static func bits(_ weight: Float) -> UInt16 { BFloat16.roundedBits(weight) }
}

/// Integers, little-endian; rounded to the nearest float, ties to even.
enum Integers<Integer: FixedWidthInteger> {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        let size = MemoryLayout<Integer>.size
        for i in weights.indices {
            let value = bytes.loadUnaligned(fromByteOffset: i &* size, as: Integer.self)
            weights[i] = Float(Integer(littleEndian: value))
        }
    }
}
