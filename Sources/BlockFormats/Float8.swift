/// The shape of an eight-bit float: sign, exponent, mantissa, from the high bit down.
protocol Float8Shape: SendableMetatype {
    static var mantissaBits: Int { get }
    static var exponentBias: Int { get }
    /// The code of the largest finite value.
    static var largestCode: UInt8 { get }
    /// What a NaN is written as, without the sign.
    static var nanCode: UInt8 { get }
    /// The code of infinity, or nil where the format has none.
    static var infinityCode: UInt8? { get }
    /// What each code stands for.
    static var values: [Float] { get }
}

/// Four exponent bits, three of mantissa, no infinities: `S.1111.111` is NaN, the largest value is
/// 448.
///
/// The "fn" variant (Micikevicius et al. 2022, "FP8 Formats for Deep Learning"), which safetensors
/// files call F8_E4M3.
enum E4M3: Float8Shape {
    static let mantissaBits = 3
    static let exponentBias = 7
    static let largestCode: UInt8 = 0x7E
    static let nanCode: UInt8 = 0x7F
    static let infinityCode: UInt8? = nil
    static let values = (0...UInt8.max).map(Float8<E4M3>.value)
}

/// Five exponent bits, two of mantissa, special values as in IEEE 754; the largest finite value is
/// 57344.
enum E5M2: Float8Shape {
    static let mantissaBits = 2
    static let exponentBias = 15
    static let largestCode: UInt8 = 0x7B
    static let nanCode: UInt8 = 0x7F
    static let infinityCode: UInt8? = 0x7C
    static let values = (0...UInt8.max).map(Float8<E5M2>.value)
}

/// Eight-bit floats. Encoding rounds to nearest, ties to even, and saturates: what is beyond the
/// largest value becomes the largest value, for a checkpoint must not gain infinities. NaN stays
/// NaN.
enum Float8<Shape: Float8Shape> {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        Shape.values.withUnsafeBufferPointer { values in
            for i in weights.indices { weights[i] = values[Int(bytes[i])] }
        }
    }

    static func encode(
        _ weights: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer
    ) {
        for i in weights.indices { bytes[i] = code(weights[i]) }
    }

    /// What a code stands for.
    static func value(_ code: UInt8) -> Float {
        let magnitude = code & 0x7F
        let sign: Float = code & 0x80 == 0 ? 1 : -1
        if magnitude == Shape.infinityCode { return sign * .infinity }
        if magnitude > Shape.largestCode { return sign * .nan }
        let exponent = Int(magnitude >> Shape.mantissaBits)
        let mantissa = Int(magnitude) & (1 << Shape.mantissaBits - 1)
        let significand = exponent == 0 ? mantissa : mantissa | 1 << Shape.mantissaBits
        let power = max(exponent, 1) - Shape.exponentBias - Shape.mantissaBits
        return Float(sign: .plus, exponent: power, significand: sign * Float(significand))
    }

    /// The code nearest to `weight`.
    @inline(__always)
    static func code(_ weight: Float) -> UInt8 {
        let bits = weight.bitPattern & 0x7FFF_FFFF

        // The codes of normal numbers are the leading bits of the float, rounded, with another
        // bias: a mantissa that rounds up to the next power of two carries into the exponent by
        // itself.
        let shift = UInt32(23 - Shape.mantissaBits)
        let half: UInt32 = 1 &<< (shift - 1)
        let bias = UInt32(127 - Shape.exponentBias) &<< UInt32(Shape.mantissaBits)
        let normal = ((bits &+ (half - 1) &+ (bits &>> shift & 1)) &>> shift) &- bias

        // Those below count the smallest one. The adder rounds to it when it is the last place of
        // the sum.
        let leastNormal = UInt32(128 - Shape.exponentBias) &<< 23
        let offset = Float(bitPattern: leastNormal &+ UInt32(23 - Shape.mantissaBits) &<< 23)
        let subnormal = (Float(bitPattern: bits) + offset).bitPattern &- offset.bitPattern

        let code = min(bits < leastNormal ? subnormal : normal, UInt32(Shape.largestCode))
        let isNaN = bits > 0x7F80_0000
        let sign = weight.bitPattern &>> 24 & 0x80
        return UInt8(truncatingIfNeeded: (isNaN ? UInt32(Shape.nanCode) : code) | sign)
    }
}
