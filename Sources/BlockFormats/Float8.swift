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
}

/// Four exponent bits, three of mantissa, no infinities: `S.1111.111` is NaN, the largest value is 448.
///
/// The "fn" variant (Micikevicius et al. 2022, "FP8 Formats for Deep Learning"), which safetensors files
/// call F8_E4M3.
enum E4M3: Float8Shape {
    static let mantissaBits = 3
    static let exponentBias = 7
    static let largestCode: UInt8 = 0x7E
    static let nanCode: UInt8 = 0x7F
    static let infinityCode: UInt8? = nil
}

/// Five exponent bits, two of mantissa, special values as in IEEE 754; the largest finite value is 57344.
enum E5M2: Float8Shape {
    static let mantissaBits = 2
    static let exponentBias = 15
    static let largestCode: UInt8 = 0x7B
    static let nanCode: UInt8 = 0x7F
    static let infinityCode: UInt8? = 0x7C
}

/// Eight-bit floats. Encoding rounds to nearest, ties to even, and saturates: what is beyond the largest
/// value becomes the largest value, for a checkpoint must not gain infinities. NaN stays NaN.
enum Float8<Shape: Float8Shape>: ScalarFormat {
    static func decode(
        _ bytes: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        let values = (0...UInt8.max).map(value)
        for i in weights.indices { weights[i] = values[Int(bytes[i])] }
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
        let exponent = Int(magnitude) >> Shape.mantissaBits
        let mantissa = Int(magnitude) & (1 << Shape.mantissaBits - 1)
        let significand = exponent == 0 ? mantissa : mantissa | 1 << Shape.mantissaBits
        let power = max(exponent, 1) - Shape.exponentBias - Shape.mantissaBits
        return sign * Float(sign: .plus, exponent: power, significand: Float(significand))
    }

    /// The code nearest to `weight`.
    static func code(_ weight: Float) -> UInt8 {
        let sign: UInt8 = weight.sign == .minus ? 0x80 : 0
        let magnitude = weight.magnitude
        if magnitude.isNaN { return sign | Shape.nanCode }
        if magnitude >= value(Shape.largestCode) { return sign | Shape.largestCode }

        // In the units of the last place, codes count up without a gap from one exponent to the next:
        // a mantissa that rounds up to the next power of two carries into the exponent by itself.
        let exponent = max(Int(magnitude.exponentOrLowest) + Shape.exponentBias, 1)
        let unit = Float(
            sign: .plus, exponent: exponent - Shape.exponentBias - Shape.mantissaBits, significand: 1)
        let significand = Int((magnitude / unit).rounded(.toNearestOrEven))
        return sign | UInt8((exponent - 1) << Shape.mantissaBits + significand)
    }
}

extension Float {
    /// The exponent of a finite number; that of the least normal one for zero and subnormals.
    fileprivate var exponentOrLowest: Int {
        isNormal ? Int(exponent) : Int(Float.leastNormalMagnitude.exponent)
    }
}
