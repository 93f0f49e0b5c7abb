import ByteIO
import SafetensorsFormat
import TensorIR
import TestSupport
import Testing

@Suite struct SafetensorsConformanceTests {
    static let vectors = Result { try Vectors(format: "Safetensors") }

    @Test func thereAreVectors() throws {
        #expect(try Self.vectors.get().valid.count >= 10)
        #expect(try Self.vectors.get().invalid.count >= 40)
    }

    @Test(arguments: (try? vectors.get().valid) ?? [])
    func readsAndRewrites(_ vector: Vectors.Vector) throws {
        let checkpoint = try SafetensorsCheckpoint.open(path: vector.path)
        try expect(checkpoint, toBe: vector.expected)
        let metadata = try #require(vector.expected["metadata"]?.object)
        #expect(checkpoint.metadata.mapValues(\.string) == metadata.mapValues(\.string))

        let folder = try TemporaryFolder()
        let path = folder.path("again.safetensors")
        try SafetensorsWriter(
            path: path, descriptors: checkpoint.tensors.map(\.descriptor),
            metadata: checkpoint.metadata
        ).writeEverything(checkpoint.tensors)
        let again = try SafetensorsCheckpoint.open(path: path)
        #expect(again.metadata == checkpoint.metadata)
        for tensor in checkpoint.tensors {
            let copy = again.tensors.first { $0.descriptor == tensor.descriptor }
            #expect(try copy?.bytes() == tensor.bytes())
        }
        if vector.expected["canonical"]?.bool == true {
            #expect(
                try MappedFile.contents(ofFile: path) == MappedFile.contents(ofFile: vector.path))
        }
    }

    @Test(arguments: (try? vectors.get().invalid) ?? [])
    func refuses(_ vector: Vectors.Vector) {
        let error = #expect(throws: FormatError.self) {
            try SafetensorsCheckpoint.open(path: vector.path)
        }
        expect(error, toBe: vector.expected)
    }
}
