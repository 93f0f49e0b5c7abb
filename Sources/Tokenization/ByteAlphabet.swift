/// How byte-level vocabularies spell bytes: each as one printable character (Radford et al. 2019).
///
/// Bytes that print as themselves in Latin-1 keep their character; the other 68, in order, take the
/// characters from U+0100 on. A space is `Ġ`, a line feed `Ċ`.
enum ByteAlphabet {
    /// The character of each byte.
    static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (0...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
            default:
                defer { next += 1 }
                return Unicode.Scalar(next) ?? Unicode.Scalar(byte)
            }
        }
    }()

    /// The byte of each character below U+0144; -1 where there is none.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// Appends the bytes that `text` spells, or returns false where it is not in this alphabet.
    static func append(_ text: String, to result: inout [UInt8]) -> Bool {
        var text = text
        return text.withUTF8 { append($0, to: &result) }
    }

    /// Appends the bytes that a text in UTF-8 spells, or returns false where it is not in this alphabet.
    static func append(_ text: UnsafeBufferPointer<UInt8>, to result: inout [UInt8]) -> Bool {
        let start = result.count
        var place = 0
        while place < text.count {
            var value = Int(text[place])
            // Two bytes make all of the alphabet that is not ASCII; what starts as more is beyond it.
            if 0xC2...0xC5 ~= value, place + 1 < text.count, text[place + 1] & 0xC0 == 0x80 {
                value = (value & 0x1F) << 6 | Int(text[place + 1] & 0x3F)
                place += 1
            } else if value >= 0x80 {
                value = bytes.count
            }
            guard value < bytes.count, bytes[value] >= 0 else {
                result.removeSubrange(start...)
                return false
            }
            result.append(UInt8(truncatingIfNeeded: bytes[value]))
            place += 1
        }
        return true
    }

    /// The bytes that a text in UTF-8 spells, or nil where it is not in this alphabet.
    static func bytes(of text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        return append(text, to: &result) ? result : nil
    }

    /// Appends the spelling of a byte, as UTF-8.
    static func appendSpelling(of byte: UInt8, to result: inout [UInt8]) {
        let value = scalars[Int(byte)].value
        if value < 0x80 {
            result.append(UInt8(value))
        } else {
            result.append(UInt8(0xC0 | value >> 6))
            result.append(UInt8(0x80 | value & 0x3F))
        }
    }
}
