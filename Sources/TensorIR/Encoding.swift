/// A number that stands alone: one element, one value. Raw values are safetensors' names.
public enum ScalarType: String, Sendable, Hashable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case f8_e4m3 = "F8_E4M3"
    case f8_e5m2 = "F8_E5M2"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u64 = "U64"
    case u32 = "U32"
    case u16 = "U16"
    case u8 = "U8"
    case bool = "BOOL"

    public var byteCount: Int {
        switch self {
        case .f64, .i64, .u64: 8
        case .f32, .i32, .u32: 4
        case .f16, .bf16, .i16, .u16: 2
        case .f8_e4m3, .f8_e5m2, .i8, .u8, .bool: 1
        }
    }

    public var isFloatingPoint: Bool {
        switch self {
        case .f64, .f32, .f16, .bf16, .f8_e4m3, .f8_e5m2: true
        default: false
        }
    }
}

/// A fixed run of weights with scales of its own, as GGML lays it out. Raw values are GGML's names.
///
/// Here only the sizes are known; what the bytes mean is the business of `BlockFormats`.
public enum BlockEncoding: String, Sendable, Hashable, CaseIterable {
    case q4_0 = "Q4_0"
    case q4_1 = "Q4_1"
    case q5_0 = "Q5_0"
    case q5_1 = "Q5_1"
    case q8_0 = "Q8_0"
    case q8_1 = "Q8_1"
    case q2_K = "Q2_K"
    case q3_K = "Q3_K"
    case q4_K = "Q4_K"
    case q5_K = "Q5_K"
    case q6_K = "Q6_K"
    case q8_K = "Q8_K"
    case iq1_s = "IQ1_S"
    case iq1_m = "IQ1_M"
    case iq2_xxs = "IQ2_XXS"
    case iq2_xs = "IQ2_XS"
    case iq2_s = "IQ2_S"
    case iq3_xxs = "IQ3_XXS"
    case iq3_s = "IQ3_S"
    case iq4_nl = "IQ4_NL"
    case iq4_xs = "IQ4_XS"
    case tq1_0 = "TQ1_0"
    case tq2_0 = "TQ2_0"
    case mxfp4 = "MXFP4"
    case nvfp4 = "NVFP4"
    case q1_0 = "Q1_0"
    case q2_0 = "Q2_0"

    public var weightsPerBlock: Int { size.weights }
    public var bytesPerBlock: Int { size.bytes }

    private var size: (weights: Int, bytes: Int) {
        switch self {
        case .q4_0: (32, 18)
        case .q4_1: (32, 20)
        case .q5_0: (32, 22)
        case .q5_1: (32, 24)
        case .q8_0: (32, 34)
        case .q8_1: (32, 36)
        case .q2_K: (256, 84)
        case .q3_K: (256, 110)
        case .q4_K: (256, 144)
        case .q5_K: (256, 176)
        case .q6_K: (256, 210)
        case .q8_K: (256, 292)
        case .iq1_s: (256, 50)
        case .iq1_m: (256, 56)
        case .iq2_xxs: (256, 66)
        case .iq2_xs: (256, 74)
        case .iq2_s: (256, 82)
        case .iq3_xxs: (256, 98)
        case .iq3_s: (256, 110)
        case .iq4_nl: (32, 18)
        case .iq4_xs: (256, 136)
        case .tq1_0: (256, 54)
        case .tq2_0: (256, 66)
        case .mxfp4: (32, 17)
        case .nvfp4: (64, 36)
        case .q1_0: (128, 18)
        case .q2_0: (64, 18)
        }
    }
}

/// Small codes in groups along a row that share a scale: what GPTQ, AWQ, MLX and compressed-tensors
/// files hold.
///
/// Those files interleave the parts in three different ways; the IR holds all of them in one. A row is
/// a sequence of groups, and a group is, without padding between its parts:
///
///     size                          field
///     scaleType.byteCount           scale, little-endian
///     see `Offset`                  what is subtracted or added
///     ceil(groupSize * bits / 8)    codes, least significant bit first
///
/// The last group of a row may cover fewer columns than it has room for; its other codes are zero.
public struct GroupedAffine: Sendable, Hashable {
    /// What makes an unsigned code a signed weight.
    public enum Offset: Sendable, Hashable {
        /// Nothing is stored: `weight = scale * (code - 2^(bits - 1))`.
        case symmetric
        /// One byte, in code space: `weight = scale * (code - zeroPoint)`.
        case zeroPoint
        /// A number of the scale's type: `weight = scale * code + bias`.
        case bias
    }

    /// What a code stands for before it is scaled.
    public enum Element: Sendable, Hashable {
        /// A number without a sign; see `Offset`.
        case integer
        /// A float of four bits: sign, two of exponent, one of mantissa (OCP Microscaling Formats, 1.0).
        case e2m1
        /// A float of eight bits, as `ScalarType` has it. For all floats, `weight = scale * value`.
        case e4m3, e5m2
    }

    /// 2 to 8.
    public let bits: Int
    /// Columns that share a scale.
    public let groupSize: Int
    public let offset: Offset
    /// `f16`, `bf16` or `f32`.
    public let scaleType: ScalarType

    public let element: Element

    /// - Precondition: 2...8 bits, a positive group size, a floating-point scale of 2 or 4 bytes.
    public init(bits: Int, groupSize: Int, offset: Offset, scaleType: ScalarType = .f16) {
        precondition((2...8).contains(bits))
        self.init(bits, .integer, groupSize: groupSize, offset: offset, scaleType: scaleType)
    }

    /// Groups of floats.
    /// - Precondition: as above; the elements are floats.
    public init(_ element: Element, groupSize: Int, scaleType: ScalarType) {
        precondition(element != .integer)
        self.init(
            element == .e2m1 ? 4 : 8, element, groupSize: groupSize, offset: .symmetric,
            scaleType: scaleType)
    }

    private init(
        _ bits: Int, _ element: Element, groupSize: Int, offset: Offset, scaleType: ScalarType
    ) {
        precondition(groupSize > 0 && groupSize <= 1 << 24)
        precondition([.f16, .bf16, .f32].contains(scaleType))
        self.element = element
        self.bits = bits
        self.groupSize = groupSize
        self.offset = offset
        self.scaleType = scaleType
    }

    public var offsetByteCount: Int {
        switch offset {
        case .symmetric: 0
        case .zeroPoint: 1
        case .bias: scaleType.byteCount
        }
    }

    public var bytesPerGroup: Int {
        scaleType.byteCount + offsetByteCount + (groupSize * bits + 7) / 8
    }
}

/// How the weights of a tensor are stored.
public enum Encoding: Sendable, Hashable {
    case scalar(ScalarType)
    case block(BlockEncoding)
    case grouped(GroupedAffine)

    /// Whether weights share scales.
    public var isQuantized: Bool {
        if case .scalar = self { false } else { true }
    }

    /// Weights that share scales; 1 for scalars.
    public var weightsPerBlock: Int {
        switch self {
        case .scalar: 1
        case .block(let encoding): encoding.weightsPerBlock
        case .grouped(let encoding): encoding.groupSize
        }
    }

    public var bytesPerBlock: Int {
        switch self {
        case .scalar(let type): type.byteCount
        case .block(let encoding): encoding.bytesPerBlock
        case .grouped(let encoding): encoding.bytesPerGroup
        }
    }

    public var bitsPerWeight: Double { Double(bytesPerBlock) * 8 / Double(weightsPerBlock) }

    /// Bytes of a row of `columns` weights, or nil where it cannot be stored: not whole blocks, or more
    /// bytes than an `Int` counts.
    public func byteCount(ofRow columns: Int) -> Int? {
        guard columns >= 0 else { return nil }
        let (blocks, rest) = columns.quotientAndRemainder(dividingBy: weightsPerBlock)
        if case .block = self, rest != 0 { return nil }
        let (bytes, overflow) = (blocks + (rest == 0 ? 0 : 1)).multipliedReportingOverflow(
            by: bytesPerBlock)
        return overflow ? nil : bytes
    }
}

extension Encoding: CustomStringConvertible {
    /// The name that people know: `Q4_0`, `BF16`, `INT4 g128 zero-point`.
    public var description: String {
        switch self {
        case .scalar(let type): type.rawValue
        case .block(let encoding): encoding.rawValue
        case .grouped(let encoding):
            switch (encoding.element, encoding.offset) {
            case (.e2m1, _): "E2M1 g\(encoding.groupSize)"
            case (.e4m3, _): "F8_E4M3 g\(encoding.groupSize)"
            case (.e5m2, _): "F8_E5M2 g\(encoding.groupSize)"
            case (_, .symmetric): "INT\(encoding.bits) g\(encoding.groupSize) symmetric"
            case (_, .zeroPoint): "INT\(encoding.bits) g\(encoding.groupSize) zero-point"
            case (_, .bias): "INT\(encoding.bits) g\(encoding.groupSize) bias"
            }
        }
    }
}
