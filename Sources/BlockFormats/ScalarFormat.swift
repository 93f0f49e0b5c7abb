import TensorIR

/// How numbers of one type become floats, and back where they can.
///
/// Only floating-point types are encoded: rounding to an integer without a scale is no encoding of
/// weights.
package protocol ScalarFormat: SendableMetatype {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>)
    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer)
}

extension ScalarType {
    var format: any ScalarFormat.Type {
        switch self {
        case .f64: F64.self
        case .f32: F32.self
        case .f16: F16.self
        case .bf16: BF16.self
        case .f8_e4m3: Float8<E4M3>.self
        case .f8_e5m2: Float8<E5M2>.self
        case .i64: Integers<Int64>.self
        case .i32: Integers<Int32>.self
        case .i16: Integers<Int16>.self
        case .i8: Integers<Int8>.self
        case .u64: Integers<UInt64>.self
        case .u32: Integers<UInt32>.self
        case .u16: Integers<UInt16>.self
        case .u8: Integers<UInt8>.self
        case .bool: Booleans.self
        }
    }
}

/// IEEE 754 double, little-endian; rounded to the nearest float, ties to even.
enum F64: ScalarFormat {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self)
            weights[i] = Float(Double(bitPattern: UInt64(littleEndian: bits)))
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        for i in weights.indices {
            let bits = Double(weights[i]).bitPattern.littleEndian
            bytes.storeBytes(of: bits, toByteOffset: 8 * i, as: UInt64.self)
        }
    }
}

/// IEEE 754 single, little-endian.
enum F32: ScalarFormat {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self)
            weights[i] = Float(bitPattern: UInt32(littleEndian: bits))
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        for i in weights.indices {
            let bits = weights[i].bitPattern.littleEndian
            bytes.storeBytes(of: bits, toByteOffset: 4 * i, as: UInt32.self)
        }
    }
}

/// The upper half of an IEEE 754 single, little-endian; encoding rounds to nearest, ties to even.
enum BF16: ScalarFormat {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
            weights[i] = Float(bitPattern: UInt32(UInt16(littleEndian: bits)) << 16)
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        for i in weights.indices {
            bytes.storeBytes(of: bits(weights[i]).littleEndian, toByteOffset: 2 * i, as: UInt16.self)
        }
    }

    /// A NaN stays one (rounding could carry it to infinity) and becomes quiet.
    @inline(__always)
    static func bits(_ weight: Float) -> UInt16 {
        let bits = weight.bitPattern
        let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
        let rounded = bits &+ 0x7FFF &+ (bits >> 16 & 1)
        return UInt16(truncatingIfNeeded: (isNaN ? bits | 0x0040_0000 : rounded) >> 16)
    }
}

/// Integers, little-endian; rounded to the nearest float, ties to even.
enum Integers<Integer: FixedWidthInteger>: ScalarFormat {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        let size = MemoryLayout<Integer>.size
        for i in weights.indices {
            let value = bytes.loadUnaligned(fromByteOffset: size * i, as: Integer.self)
            weights[i] = Float(Integer(littleEndian: value))
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        preconditionFailure("integers are only ever read")
    }
}

/// Bytes that are 0 for false; every other value counts as true.
enum Booleans: ScalarFormat {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        for i in weights.indices { weights[i] = bytes[i] == 0 ? 0 : 1 }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        preconditionFailure("truth values are only ever read")
    }
}
