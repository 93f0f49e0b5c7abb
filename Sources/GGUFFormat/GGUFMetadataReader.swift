import ByteIO
import TensorIR

/// Reads keys and values. Every length is compared with the bytes that remain before it is used.
struct GGUFMetadataReader {
    /// The shortest pair: a key of one byte behind its length, a type, one byte of value.
    static let minimumPairByteCount = 8 + 1 + 4 + 1

    var reader: ByteReader

    /// Reads the key-value pairs, which follow the counts of the file's start.
    mutating func pairs(_ count: Int) throws(FormatError) -> Metadata {
        var metadata: Metadata = [:]
        for number in 0..<count {
            reader.subject = "key \(number)"
            let start = reader.offset
            let key = try self.key()
            reader.subject = "'\(key.escapedForDisplay)'"
            guard metadata[key] == nil else {
                throw FormatError(.duplicateName, in: reader.subject, at: start, "stands twice")
            }
            metadata[key] = try value(of: type())
        }
        return metadata
    }

    private mutating func key() throws(FormatError) -> String {
        let start = reader.offset
        let bytes = try stringBytes()
        guard bytes.count <= GGUF.maximumKeyByteCount else {
            throw FormatError(
                .limitExceeded, in: reader.subject, at: start,
                "has \(bytes.count) bytes, the limit is \(GGUF.maximumKeyByteCount)")
        }
        guard !bytes.isEmpty, let key = String(utf8: bytes) else {
            throw FormatError(
                .malformed, in: reader.subject, at: start,
                bytes.isEmpty ? "is empty" : "is not UTF-8")
        }
        return key
    }

    private mutating func type() throws(FormatError) -> GGUFValueType {
        let start = reader.offset
        let number = try reader.integer(UInt32.self)
        guard let type = GGUFValueType(rawValue: number) else {
            throw FormatError(
                .unsupportedVersion, in: reader.subject, at: start,
                "value type \(number) is not known")
        }
        return type
    }

    private mutating func value(of type: GGUFValueType) throws(FormatError) -> MetadataValue {
        switch type {
        case .uint8: .uint8(try reader.integer())
        case .int8: .int8(try reader.integer())
        case .uint16: .uint16(try reader.integer())
        case .int16: .int16(try reader.integer())
        case .uint32: .uint32(try reader.integer())
        case .int32: .int32(try reader.integer())
        case .uint64: .uint64(try reader.integer())
        case .int64: .int64(try reader.integer())
        case .float32: .float32(Float(bitPattern: try reader.integer()))
        case .float64: .float64(Double(bitPattern: try reader.integer()))
        case .bool: .bool(try bool())
        case .string: string(try stringBytes())
        case .array: .array(try array(depth: 1))
        }
    }

    private mutating func array(depth: Int) throws(FormatError) -> MetadataArray {
        guard depth <= GGUF.maximumArrayDepth else {
            throw reader.failure(
                .limitExceeded, "arrays nest deeper than \(GGUF.maximumArrayDepth)")
        }
        let type = try self.type()
        let count = try reader.count(ofElementsAtLeast: type.minimumByteCount)
        switch type {
        case .uint8: return .uint8(try integers(count))
        case .int8: return .int8(try integers(count))
        case .uint16: return .uint16(try integers(count))
        case .int16: return .int16(try integers(count))
        case .uint32: return .uint32(try integers(count))
        case .int32: return .int32(try integers(count))
        case .uint64: return .uint64(try integers(count))
        case .int64: return .int64(try integers(count))
        case .float32: return .float32(try integers(count).map(Float.init(bitPattern:)))
        case .float64: return .float64(try integers(count).map(Double.init(bitPattern:)))
        case .bool:
            var values: [Bool] = []
            for _ in 0..<count { values.append(try bool()) }
            return .bool(values)
        case .string: return try strings(count)
        case .array:
            var values: [MetadataArray] = []
            for _ in 0..<count { values.append(try array(depth: depth + 1)) }
            return .array(values)
        }
    }

    /// Reads little-endian integers, whose bytes `count(ofElementsAtLeast:)` has proven to be there.
    private mutating func integers<Element: FixedWidthInteger>(
        _ count: Int
    ) throws(FormatError) -> [Element] {
        let size = MemoryLayout<Element>.size
        let bytes = try reader.take(count * size)
        return [Element](unsafeUninitializedCapacity: count) { elements, initialized in
            for index in 0..<count {
                let element = bytes.loadUnaligned(fromByteOffset: index * size, as: Element.self)
                elements.initializeElement(at: index, to: Element(littleEndian: element))
            }
            initialized = count
        }
    }

    private mutating func bool() throws(FormatError) -> Bool {
        let start = reader.offset
        let byte = try reader.integer(UInt8.self)
        guard byte <= 1 else {
            throw FormatError(
                .malformed, in: reader.subject, at: start, "a bool is 0 or 1, not \(byte)")
        }
        return byte == 1
    }

    private mutating func stringBytes() throws(FormatError) -> UnsafeRawBufferPointer {
        try reader.take(reader.count(ofElementsAtLeast: 1))
    }

    private func string(_ bytes: UnsafeRawBufferPointer) -> MetadataValue {
        if let string = String(utf8: bytes) { return .string(string) }
        return .malformedString([UInt8](bytes))
    }

    private mutating func strings(_ count: Int) throws(FormatError) -> MetadataArray {
        var strings: [String] = []
        strings.reserveCapacity(count)
        for _ in 0..<count {
            let bytes = try stringBytes()
            guard let string = String(utf8: bytes) else {
                var all = strings.map { Array($0.utf8) }
                all.append([UInt8](bytes))
                while all.count < count { all.append([UInt8](try stringBytes())) }
                return .malformedString(all)
            }
            strings.append(string)
        }
        return .string(strings)
    }
}
