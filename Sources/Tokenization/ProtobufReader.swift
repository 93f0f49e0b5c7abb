import ByteIO

/// Reads the fields of a message in the wire format of Protocol Buffers, front to back.
///
///     tag      varint: field number << 3 | type
///     type 0   varint, 7 bits a byte, the lowest first; the top bit says that more follow
///     type 1   8 bytes
///     type 2   varint n, then n bytes
///     type 5   4 bytes
///
/// Every length is compared with the bytes that remain. Groups (types 3 and 4) are long gone from the
/// format and refused.
struct ProtobufReader {
    /// What a field holds, before its meaning is known.
    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case fixed64(UInt64)
        case bytes(UnsafeRawBufferPointer)
    }

    private var reader: ByteReader

    init(_ bytes: UnsafeRawBufferPointer, reading subject: String) {
        reader = ByteReader(bytes, reading: subject)
    }

    /// The next field; nil at the end of the message.
    mutating func field() throws(FormatError) -> (number: Int, value: Value)? {
        guard reader.remaining > 0 else { return nil }
        let tag = try varint()
        guard let number = Int(exactly: tag >> 3), number > 0, number < 1 << 29 else {
            throw failure(.malformed, "field number \(tag >> 3)")
        }
        switch tag & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try reader.integer()))
        case 2:
            let length = try varint()
            guard let length = Int(exactly: length) else {
                throw failure(.limitExceeded, "field \(number) claims \(length) bytes")
            }
            return (number, .bytes(try reader.take(length)))
        case 5: return (number, .fixed32(try reader.integer()))
        default: throw failure(.malformed, "field \(number) has wire type \(tag & 7)")
        }
    }

    private mutating func varint() throws(FormatError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            let byte = try reader.integer(UInt8.self)
            // The tenth byte has room for one bit.
            guard shift < 63 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte & 0x80 == 0 { return value }
        }
        throw failure(.malformed, "a number of more than 64 bits")
    }

    func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
        reader.failure(code, detail)
    }
}

extension ProtobufReader.Value {
    var bool: Bool? { if case .varint(let value) = self { value != 0 } else { nil } }

    /// A signed number; negative ones are written as if they had 64 bits.
    var integer: Int? {
        if case .varint(let value) = self { Int(Int64(bitPattern: value)) } else { nil }
    }

    var float: Float? {
        if case .fixed32(let bits) = self { Float(bitPattern: bits) } else { nil }
    }

    var bytes: UnsafeRawBufferPointer? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }
}
