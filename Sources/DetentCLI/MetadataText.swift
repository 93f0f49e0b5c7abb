import ByteIO
import Reporting
import TensorIR

extension MetadataValue {
    /// The value on one line: long strings cut, of arrays the first elements.
    var abbreviated: String {
        switch self {
        case .string(let text): MetadataValue.quoted(text)
        case .malformedString(let bytes): "\(bytes.count) bytes that are not UTF-8"
        case .array(let array):
            array.count <= 4
                ? "[\(array.beginning.joined(separator: ", "))]"
                : "[\(array.beginning.joined(separator: ", ")), …] "
                    + "(\(NumberFormatting.grouped(array.count)) elements)"
        default: json.text()
        }
    }

    fileprivate static func quoted(_ text: String, limit: Int = 60) -> String {
        let isLong = text.count > limit
        return JSON.string(isLong ? text.prefix(limit) + "…" : text).text().escapedForDisplay
    }

    /// The value as JSON; what JSON cannot say becomes text.
    var json: JSON {
        switch self {
        case .uint8(let value): .integer(Int(value))
        case .int8(let value): .integer(Int(value))
        case .uint16(let value): .integer(Int(value))
        case .int16(let value): .integer(Int(value))
        case .uint32(let value): .integer(Int(value))
        case .int32(let value): .integer(Int(value))
        case .uint64(let value): Int(exactly: value).map(JSON.integer) ?? .string(String(value))
        case .int64(let value): .integer(Int(value))
        case .float32(let value): .finite(Double(String(describing: value)) ?? Double(value))
        case .float64(let value): .finite(value)
        case .bool(let value): .bool(value)
        case .string(let value): .string(value)
        case .malformedString(let bytes): .string(String(decoding: bytes, as: UTF8.self))
        case .array(let array): .array(array.elements(limit: .max).map(\.json))
        }
    }
}

extension MetadataArray {
    /// The first elements as the terminal shows them.
    fileprivate var beginning: [String] {
        elements(limit: 4).map {
            if case .string(let text) = $0 {
                MetadataValue.quoted(text, limit: 16)
            } else {
                $0.abbreviated
            }
        }
    }

    /// The first elements, each as a value of its own.
    fileprivate func elements(limit: Int) -> [MetadataValue] {
        switch self {
        case .uint8(let values): values.prefix(limit).map(MetadataValue.uint8)
        case .int8(let values): values.prefix(limit).map(MetadataValue.int8)
        case .uint16(let values): values.prefix(limit).map(MetadataValue.uint16)
        case .int16(let values): values.prefix(limit).map(MetadataValue.int16)
        case .uint32(let values): values.prefix(limit).map(MetadataValue.uint32)
        case .int32(let values): values.prefix(limit).map(MetadataValue.int32)
        case .uint64(let values): values.prefix(limit).map(MetadataValue.uint64)
        case .int64(let values): values.prefix(limit).map(MetadataValue.int64)
        case .float32(let values): values.prefix(limit).map(MetadataValue.float32)
        case .float64(let values): values.prefix(limit).map(MetadataValue.float64)
        case .bool(let values): values.prefix(limit).map(MetadataValue.bool)
        case .string(let values): values.prefix(limit).map(MetadataValue.string)
        case .malformedString(let values): values.prefix(limit).map(MetadataValue.malformedString)
        case .array(let values): values.prefix(limit).map(MetadataValue.array)
        }
    }
}

extension JSON {
    /// A number, or its name where JSON has no such number.
    static func finite(_ value: Double) -> JSON {
        value.isFinite ? .number(value) : .string("\(value)")
    }
}
