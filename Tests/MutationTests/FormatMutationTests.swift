import ByteIO
import DTZFormat
import GGUFFormat
import Quantization
import SafetensorsFormat
import TensorIR
import TestSupport
import Testing

/// Damaged files are read or refused. A trap would end the test process, so the claim is its survival;
/// what was done to a file is told for each fault that is not a trap.
@Suite struct FormatMutationTests {
    static let rounds = 400

    static let safetensors = files("Safetensors")
    static let gguf = files("GGUF")
    static let dtz = files("DTZ")

    /// The valid vectors that are single files.
    private static func files(_ format: String) -> [Vectors.Vector] {
        ((try? Vectors(format: format).valid) ?? []).filter { !FileSystem.isFolder($0.path) }
    }

    @Test(arguments: safetensors) func damagedSafetensorsNeverTrap(_ vector: Vectors.Vector) throws
    {
        try damage(vector) { bytes throws(FormatError) in
            try SafetensorsHeader(bytes).places.map { ($0.offset, $0.descriptor.byteCount) }
        }
    }

    @Test(arguments: gguf) func damagedGGUFNeverTraps(_ vector: Vectors.Vector) throws {
        try damage(vector) { bytes throws(FormatError) in
            try GGUFHeader(bytes).places.map { ($0.offset, $0.descriptor.byteCount) }
        }
    }

    /// A file is refused, or its tensors are, or all is as it was; what the index claims is never wrong
    /// without a fault in it being found.
    @Test(arguments: dtz) func damagedDTZNeverTraps(_ vector: Vectors.Vector) throws {
        let folder = try TemporaryFolder()
        let original = try MappedFile.contents(ofFile: vector.path)
        for isSalvaged in [false, true] {
            try Mutator.damage(original, rounds: Self.rounds / 4) { bytes, _ in
                let path = try folder.write(bytes, to: "damaged.dtz")
                let file = try DTZFile(path: path, isSalvaged: isSalvaged)
                for tensor in try file.checkpoint().tensors { _ = try tensor.bytes() }
            }
        }
    }

    /// Files of the older form of importance matrices have no header; every byte may be a length.
    @Test func damagedImportanceMatricesNeverTrap() throws {
        let matrix = ImportanceMatrix(
            entries: [
                "blk.0.attn_q.weight": .init(sumsOfSquares: [1, 2, 3], counts: [512]),
                "blk.0.ffn_up_exps.weight": .init(sumsOfSquares: [1, 2, 3, 4], counts: [9, 0]),
            ], datasets: ["wiki.txt"], windowCount: 1, windowSize: 512)
        let original = matrix.legacyBytes()
        try Mutator.damage(original, rounds: Self.rounds) { bytes, _ in
            try bytes.withUnsafeBytes { buffer in
                var read = try ImportanceMatrix(legacy: buffer)
                try? read.merge(matrix)
                _ = (read.legacyBytes(), read.entries.values.map(\.statistics))
            }
        }
    }

    private func damage(
        _ vector: Vectors.Vector,
        read: (UnsafeRawBufferPointer) throws(FormatError) -> [(offset: Int, byteCount: Int)]
    ) throws {
        let original = try MappedFile.contents(ofFile: vector.path)
        try Mutator.damage(original, rounds: Self.rounds) { bytes, what in
            try bytes.withUnsafeBytes { buffer in
                for place in try read(buffer) {
                    #expect(
                        place.offset >= 0 && place.byteCount <= buffer.count - place.offset,
                        "\(what)")
                }
            }
        }
    }

    @Test(arguments: safetensors) func refusesEveryTruncation(_ vector: Vectors.Vector) throws {
        let bytes = try MappedFile.contents(ofFile: vector.path)
        for length in bytes.indices {
            bytes.withUnsafeBytes { buffer in
                _ = #expect(throws: FormatError.self, "cut to \(length)") {
                    try SafetensorsHeader(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
                }
            }
        }
    }

    /// Padding behind the last tensor is the one thing that may be absent.
    @Test(arguments: gguf) func refusesEveryTruncationBeforeThePadding(
        _ vector: Vectors.Vector
    ) throws {
        let bytes = try MappedFile.contents(ofFile: vector.path)
        try bytes.withUnsafeBytes { buffer in
            let header = try GGUFHeader(buffer)
            let end =
                header.places.last { $0.descriptor.byteCount > 0 }
                .map { $0.offset + $0.descriptor.byteCount } ?? header.byteCount
            for length in 0..<end {
                _ = #expect(throws: FormatError.self, "cut to \(length)") {
                    try GGUFHeader(UnsafeRawBufferPointer(rebasing: buffer[..<length]))
                }
            }
        }
    }
}
