import ByteIO
import OrderedCollections

/// What a file says about itself: keys in their order, each with a typed value.
///
/// The types are GGUF's, the richest of the formats; safetensors' metadata are all strings.
public typealias Metadata = OrderedDictionary<ExactString, MetadataValue>

/// One value of the metadata, in the type that the file gave it.
public enum MetadataValue: Sendable, Hashable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case uint64(UInt64)
    case int64(Int64)
    case float32(Float)
    case float64(Double)
    case bool(Bool)
    case string(String)
    /// A string that is not UTF-8. Kept, so that writing the file again loses nothing.
    case malformedString([UInt8])
    case array(MetadataArray)
}

/// An array of the metadata. All elements have one type, which an empty array has too.
public enum MetadataArray: Sendable, Hashable {
    case uint8([UInt8])
    case int8([Int8])
    case uint16([UInt16])
    case int16([Int16])
    case uint32([UInt32])
    case int32([Int32])
    case uint64([UInt64])
    case int64([Int64])
    case float32([Float])
    case float64([Double])
    case bool([Bool])
    case string([String])
    /// Strings of which at least one is not UTF-8.
    case malformedString([[UInt8]])
    indirect case array([MetadataArray])

    public var count: Int {
        switch self {
        case .uint8(let values): values.count
        case .int8(let values): values.count
        case .uint16(let values): values.count
        case .int16(let values): values.count
        case .uint32(let values): values.count
        case .int32(let values): values.count
        case .uint64(let values): values.count
        case .int64(let values): values.count
        case .float32(let values): values.count
        case .float64(let values): values.count
        case .bool(let values): values.count
        case .string(let values): values.count
        case .malformedString(let values): values.count
        case .array(let values): values.count
        }
    }
}

extension MetadataValue {
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The value as an `Int`, from any integer type that fits.
    public var integer: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        default: nil
        }
    }

    /// The value as a `Double`, from any numeric type.
    public var double: Double? {
        switch self {
        case .float32(let value): Double(value)
        case .float64(let value): value
        default: integer.map(Double.init)
        }
    }

    public var strings: [String]? {
        if case .array(.string(let values)) = self { values } else { nil }
    }

    /// The values of an array of floating-point numbers.
    public var doubles: [Double]? {
        guard case .array(let array) = self else { return nil }
        switch array {
        case .float32(let values): return values.map { Double($0) }
        case .float64(let values): return values
        default: return nil
        }
    }

    /// The values of an integer array as `Int`s, from any integer type that fits.
    public var integers: [Int]? {
        guard case .array(let array) = self else { return nil }
        switch array {
        case .uint8(let values): return values.map { Int($0) }
        case .int8(let values): return values.map { Int($0) }
        case .uint16(let values): return values.map { Int($0) }
        case .int16(let values): return values.map { Int($0) }
        case .uint32(let values): return values.map { Int($0) }
        case .int32(let values): return values.map { Int($0) }
        case .uint64(let values):
            let exact = values.compactMap { Int(exactly: $0) }
            return exact.count == values.count ? exact : nil
        case .int64(let values): return values.map { Int($0) }
        default: return nil
        }
    }
}
