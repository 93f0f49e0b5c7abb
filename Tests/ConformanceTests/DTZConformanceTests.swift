import ByteIO
import DTZFormat
import TensorIR
import TestSupport
import Testing

@Suite struct DTZConformanceTests {
    static let vectors = Result { try Vectors(format: "DTZ") }

    @Test func thereAreVectors() throws {
        #expect(try Self.vectors.get().valid.count >= 9)
        #expect(try Self.vectors.get().invalid.count >= 35)
    }

    @Test(arguments: (try? vectors.get().valid) ?? [])
    func readsAndRewrites(_ vector: Vectors.Vector) throws {
        let checkpoint = try DTZFile(path: vector.path).checkpoint()
        try expect(checkpoint, toBe: vector.expected)
        let metadata = try #require(vector.expected["metadata"]?.object)
        #expect(checkpoint.metadata.mapValues(\.string) == metadata.mapValues(\.string))

        let folder = try TemporaryFolder()
        let path = folder.path("again.dtz")
        try DTZWriter.write(checkpoint, to: path)
        let again = try DTZFile(path: path).checkpoint()
        try expectSame(again, checkpoint)
        #expect(again.documents == checkpoint.documents)
        #expect(again.originals == checkpoint.originals)
        #expect(again.dialect == checkpoint.dialect)
    }

    @Test(arguments: (try? vectors.get().invalid) ?? [])
    func refuses(_ vector: Vectors.Vector) {
        let error = #expect(throws: FormatError.self) {
            // What is wrong with a chunk shows when it is read.
            for tensor in try DTZFile(path: vector.path).checkpoint().tensors {
                _ = try tensor.bytes()
            }
        }
        expect(error, toBe: vector.expected)
    }
}
