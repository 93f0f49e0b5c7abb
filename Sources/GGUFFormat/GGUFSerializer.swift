import TensorIR

/// Builds what stands before the data of a GGUF file.
struct GGUFSerializer {
    private(set) var bytes: [UInt8] = []

    /// The start of the file, its pairs and its tensor entries, padded up to the data.
    ///
    /// `offsets` tells where each tensor starts, in bytes from the start of the data section.
    static func header(
        metadata: Metadata, tensors: [TensorDescriptor], offsets: [Int], alignment: Int
    ) throws(ModelError) -> [UInt8] {
        var serializer = GGUFSerializer()
        serializer.bytes += GGUF.magic
        serializer.integer(GGUF.version)
        serializer.integer(UInt64(tensors.count))
        serializer.bytes += pairs(metadata)
        for (tensor, offset) in zip(tensors, offsets) {
            try serializer.entry(tensor, offset: offset)
        }
        let rest = serializer.bytes.count % alignment
        // Files that hold a vocabulary alone end with their last key, as llama.cpp's own do.
        if rest > 0, !tensors.isEmpty {
            serializer.bytes += [UInt8](repeating: 0, count: alignment - rest)
        }
        return serializer.bytes
    }

    /// The number of pairs and the pairs.
    static func pairs(_ metadata: Metadata) -> [UInt8] {
        var serializer = GGUFSerializer()
        serializer.integer(UInt64(metadata.count))
        for (key, value) in metadata {
            serializer.string(key.utf8)
            serializer.value(value)
        }
        return serializer.bytes
    }

    private mutating func entry(_ tensor: TensorDescriptor, offset: Int) throws(ModelError) {
        guard let id = GGMLType.id(of: tensor.encoding) else {
            throw ModelError(
                "tensor '\(tensor.name.escapedForDisplay)': GGUF cannot hold \(tensor.encoding)")
        }
        string(tensor.name.utf8)
        integer(UInt32(tensor.shape.count))
        for dimension in GGUF.turned(tensor.shape) { integer(UInt64(dimension)) }
        integer(id)
        integer(UInt64(offset))
    }

    private mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    private mutating func string(_ text: some Collection<UInt8>) {
        integer(UInt64(text.count))
        bytes += text
    }

    private mutating func type(_ type: GGUFValueType) { integer(type.rawValue) }

    private mutating func value(_ value: MetadataValue) {
        switch value {
        case .uint8(let value): number(.uint8, value)
        case .int8(let value): number(.int8, value)
        case .uint16(let value): number(.uint16, value)
        case .int16(let value): number(.int16, value)
        case .uint32(let value): number(.uint32, value)
        case .int32(let value): number(.int32, value)
        case .uint64(let value): number(.uint64, value)
        case .int64(let value): number(.int64, value)
        case .float32(let value): number(.float32, value.bitPattern)
        case .float64(let value): number(.float64, value.bitPattern)
        case .bool(let value): number(.bool, value ? 1 as UInt8 : 0)
        case .string(let value):
            type(.string)
            string(value.utf8)
        case .malformedString(let value):
            type(.string)
            string(value)
        case .array(let value):
            type(.array)
            array(value)
        }
    }

    private mutating func number(_ type: GGUFValueType, _ value: some FixedWidthInteger) {
        self.type(type)
        integer(value)
    }

    private mutating func array(_ array: MetadataArray) {
        switch array {
        case .uint8(let values): numbers(.uint8, values)
        case .int8(let values): numbers(.int8, values)
        case .uint16(let values): numbers(.uint16, values)
        case .int16(let values): numbers(.int16, values)
        case .uint32(let values): numbers(.uint32, values)
        case .int32(let values): numbers(.int32, values)
        case .uint64(let values): numbers(.uint64, values)
        case .int64(let values): numbers(.int64, values)
        case .float32(let values): numbers(.float32, values.map(\.bitPattern))
        case .float64(let values): numbers(.float64, values.map(\.bitPattern))
        case .bool(let values): numbers(.bool, values.map { $0 ? 1 as UInt8 : 0 })
        case .string(let values):
            start(.string, values.count)
            for value in values { string(value.utf8) }
        case .malformedString(let values):
            start(.string, values.count)
            for value in values { string(value) }
        case .array(let values):
            start(.array, values.count)
            for value in values { self.array(value) }
        }
    }

    private mutating func start(_ type: GGUFValueType, _ count: Int) {
        self.type(type)
        integer(UInt64(count))
    }

    private mutating func numbers(_ type: GGUFValueType, _ values: [some FixedWidthInteger]) {
        start(type, values.count)
        for value in values { integer(value) }
    }
}
