import ByteIO
import GGUFFormat
import TensorIR
import TestSupport
import Testing

@Suite struct GGUFConformanceTests {
    static let vectors = Result { try Vectors(format: "GGUF") }

    @Test func thereAreVectors() throws {
        #expect(try Self.vectors.get().valid.count >= 15)
        #expect(try Self.vectors.get().invalid.count >= 50)
    }

    @Test(arguments: (try? vectors.get().valid) ?? [])
    func readsAndRewrites(_ vector: Vectors.Vector) throws {
        let checkpoint = try GGUFCheckpoint.open(path: vector.path)
        try expect(checkpoint, toBe: vector.expected)
        let metadata = try #require(vector.expected["metadata"]?.object)
        #expect(checkpoint.metadata.mapValues(stated) == metadata)

        let folder = try TemporaryFolder()
        let path = folder.path("again.gguf")
        try GGUFWriter(
            path: path, metadata: checkpoint.metadata,
            descriptors: checkpoint.tensors.map(\.descriptor)
        ).writeEverything(checkpoint.tensors)
        try expectSame(GGUFCheckpoint.open(path: path), checkpoint)
        if vector.expected["canonical"]?.bool == true {
            #expect(
                try MappedFile.contents(ofFile: path) == MappedFile.contents(ofFile: vector.path))
        }
    }

    @Test(arguments: (try? vectors.get().invalid) ?? [])
    func refuses(_ vector: Vectors.Vector) {
        let error = #expect(throws: FormatError.self) {
            try GGUFCheckpoint.open(path: vector.path)
        }
        expect(error, toBe: vector.expected)
    }
}

/// A value as `expected.json` spells it.
private func stated(_ value: MetadataValue) -> JSON {
    func typed(_ type: String, _ json: JSON) -> JSON { ["type": .string(type), "value": json] }
    switch value {
    case .uint8(let value): return typed("UINT8", .integer(Int(value)))
    case .int8(let value): return typed("INT8", .integer(Int(value)))
    case .uint16(let value): return typed("UINT16", .integer(Int(value)))
    case .int16(let value): return typed("INT16", .integer(Int(value)))
    case .uint32(let value): return typed("UINT32", .integer(Int(value)))
    case .int32(let value): return typed("INT32", .integer(Int(value)))
    case .uint64(let value): return typed("UINT64", .string(String(value)))
    case .int64(let value): return typed("INT64", .string(String(value)))
    case .float32(let value): return typed("FLOAT32", .number(Double(value)))
    case .float64(let value): return typed("FLOAT64", .number(value))
    case .bool(let value): return typed("BOOL", .bool(value))
    case .string(let value): return typed("STRING", .string(value))
    case .malformedString(let bytes): return typed("STRING", hexadecimal(bytes))
    case .array(let array): return stated(array)
    }
}

private func stated(_ array: MetadataArray) -> JSON {
    func typed(_ type: String, _ elements: [JSON]) -> JSON {
        ["type": "ARRAY", "of": .string(type), "value": .array(elements)]
    }
    switch array {
    case .uint8(let values): return typed("UINT8", values.map { .integer(Int($0)) })
    case .int8(let values): return typed("INT8", values.map { .integer(Int($0)) })
    case .uint16(let values): return typed("UINT16", values.map { .integer(Int($0)) })
    case .int16(let values): return typed("INT16", values.map { .integer(Int($0)) })
    case .uint32(let values): return typed("UINT32", values.map { .integer(Int($0)) })
    case .int32(let values): return typed("INT32", values.map { .integer(Int($0)) })
    case .uint64(let values): return typed("UINT64", values.map { .string(String($0)) })
    case .int64(let values): return typed("INT64", values.map { .string(String($0)) })
    case .float32(let values): return typed("FLOAT32", values.map { .number(Double($0)) })
    case .float64(let values): return typed("FLOAT64", values.map { .number($0) })
    case .bool(let values): return typed("BOOL", values.map { .bool($0) })
    case .string(let values): return typed("STRING", values.map { .string($0) })
    case .malformedString(let values): return typed("STRING", values.map(hexadecimal))
    case .array(let values): return typed("ARRAY", values.map(stated))
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> JSON {
    ["hex": .string(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())]
}
