import ByteIO
import TensorIR
import Testing

@testable import Quantization

@Suite struct ImportanceMatrixTests {
    private let matrix = ImportanceMatrix(
        entries: [
            "blk.0.attn_q.weight": .init(sumsOfSquares: [2, 4, 8], counts: [2]),
            "blk.0.ffn_down_exps.weight": .init(sumsOfSquares: [6, 9, 0, 0], counts: [3, 0]),
        ], datasets: ["wiki-b.txt"], windowCount: 100, windowSize: 512)

    @Test func readsWhatItWrites() throws {
        let read = try ImportanceMatrix(matrix.checkpoint())
        #expect(read == matrix)
    }

    @Test func hasTheShapesOfLlamaCppsFiles() throws {
        let tensors = matrix.checkpoint().tensors.map(\.descriptor)
        #expect(
            tensors.map(\.name) == [
                "blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts",
                "blk.0.ffn_down_exps.weight.in_sum2", "blk.0.ffn_down_exps.weight.counts",
            ])
        #expect(tensors.map(\.shape) == [[1, 3], [1, 1], [2, 2], [2, 1]])
        #expect(tensors.allSatisfy { $0.encoding == .scalar(.f32) })
    }

    @Test func weightsAreMeans() throws {
        let weights = try matrix.weights(ofTensor: "blk.0.attn_q.weight", columns: 3)
        #expect(weights == [1, 2, 4])
        #expect(try matrix.weights(ofTensor: "output.weight", columns: 3) == nil)
        #expect(matrix.entries["blk.0.ffn_down_exps.weight"]?.means(ofMatrix: 0) == [2, 3])
        #expect(matrix.entries["blk.0.ffn_down_exps.weight"]?.means(ofMatrix: 1) == [1, 1])
        #expect(throws: QuantizationError.widthMismatch(columns: 4, statistics: 3)) {
            try matrix.weights(ofTensor: "blk.0.attn_q.weight", columns: 4)
        }
    }

    @Test(arguments: [
        "no type", "another type", "no counts", "other counts", "half precision", "negative",
        "undefined",
    ])
    func refuses(fault: String) throws {
        var checkpoint = matrix.checkpoint(path: "broken.gguf")
        let sums = checkpoint.tensors[0].descriptor
        func replacement(_ values: [Float]) throws -> BufferedTensor {
            let bytes = values.flatMap { value in
                withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
            }
            return BufferedTensor(sums, bytes: bytes)
        }
        switch fault {
        case "no type": checkpoint.metadata["general.type"] = nil
        case "another type": checkpoint.metadata["general.type"] = .string("model")
        case "no counts": checkpoint.tensors.remove(at: 1)
        case "other counts":
            let counts = checkpoint.tensors.remove(at: 3)
            checkpoint.tensors[1] = RenamedTensor(counts, name: "blk.0.attn_q.weight.counts")
        case "half precision":
            let half = try #require(
                TensorDescriptor(name: sums.name, shape: [1, 3], encoding: .scalar(.f16)))
            checkpoint.tensors[0] = BufferedTensor(half, bytes: [UInt8](repeating: 0, count: 6))
        case "negative": checkpoint.tensors[0] = try replacement([1, -1, 1])
        default: checkpoint.tensors[0] = try replacement([1, .nan, 1])
        }
        #expect(throws: FormatError.self) { try ImportanceMatrix(checkpoint) }
    }
}

/// The older form of a file, read and written.
@Suite struct LegacyImportanceMatrixTests {
    /// One tensor of three columns, two calls: the file says mean · calls.
    private static let file: [UInt8] =
        integers(1, 19) + Array("blk.0.attn_q.weight".utf8) + integers(2, 3)
        + [Float(2), 4, 8].flatMap { integers(Int32(bitPattern: $0.bitPattern)) }
        + integers(2, 8) + Array("wiki.txt".utf8)

    private static func integers(_ values: Int32...) -> [UInt8] {
        values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }
    }

    private func read(_ bytes: [UInt8]) throws(FormatError) -> ImportanceMatrix {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(FormatError) in try ImportanceMatrix(legacy: bytes) }
        }
        return try result.get()
    }

    @Test func aCallIsAWindow() throws {
        let matrix = try read(Self.file)
        #expect(try matrix.weights(ofTensor: "blk.0.attn_q.weight", columns: 3) == [1, 2, 4])
        #expect(matrix.entries["blk.0.attn_q.weight"]?.counts == [1024])
        #expect(matrix.datasets == ["wiki.txt"])
        #expect((matrix.windowCount, matrix.windowSize) == (2, 512))
    }

    @Test func writesWhatItReads() throws {
        #expect(try read(Self.file).legacyBytes() == Self.file)
    }

    @Test func theOldestFilesEndWithTheEntries() throws {
        let matrix = try read(Self.file.dropLast(16))
        #expect(matrix.datasets.isEmpty && matrix.entries.count == 1)
    }

    @Test func expertsWithoutTokensGetOnes() throws {
        let matrix = ImportanceMatrix(
            entries: [
                "blk.0.ffn_up_exps.weight": .init(sumsOfSquares: [2, 4, 0, 0], counts: [512, 0]),
                "blk.1.ffn_up_exps.weight": .init(sumsOfSquares: [0, 0, 0, 0], counts: [0, 0]),
            ], datasets: [], windowCount: 1, windowSize: 512)
        let again = try read(matrix.legacyBytes())
        let tensor = "blk.0.ffn_up_exps.weight"
        #expect(again.entries.count == 1)
        #expect(
            try again.weights(ofTensor: tensor, columns: 2, matrix: 0) == [2.0 / 512, 4.0 / 512])
        #expect(try again.weights(ofTensor: tensor, columns: 2, matrix: 1) == [1, 1])
        #expect(try again.weights(ofTensor: tensor, columns: 2, matrix: 2) == nil)
        #expect(throws: QuantizationError.widthMismatch(columns: 3, statistics: 4)) {
            try again.weights(ofTensor: tensor, columns: 3)
        }
    }

    /// One entry called "A" with these fields behind its name.
    private static func entry(_ fields: Int32...) -> [UInt8] {
        integers(1, 1) + [65] + fields.flatMap { integers($0) }
    }

    private static let faults: [(String, [UInt8])] = [
        ("no entries", integers(0)), ("negative entries", integers(-1)),
        ("more entries than bytes", integers(.max)),
        ("name beyond the end", integers(1, .max, 0, 0, 0)),
        ("negative name", integers(1, -5, 0, 0, 0)),
        ("name that is not UTF-8", [1, 0, 0, 0, 1, 0, 0, 0, 0xFF] + integers(1, 1, 0)),
        ("negative calls", entry(-1, 1, 0)),
        ("more values than bytes", entry(1, 2, 0)),
        ("negative value", entry(1, 1, -1_082_130_432)),
        ("undefined value", entry(1, 1, 0x7FC0_0000)),
        ("value that overflows", entry(1, 1, 0x7F7F_FFFF)),
        ("bytes behind the end", entry(1, 1, 0, 1, 0, 0)),
        ("a name twice", integers(2) + Array(entry(1, 1, 0)[4...] + entry(1, 1, 0)[4...])),
    ]

    @Test(arguments: faults) func refuses(fault: String, bytes: [UInt8]) {
        #expect(throws: FormatError.self, "\(fault)") { try read(bytes) }
    }
}

@Suite struct ImportanceMatrixMergingTests {
    private func matrix(_ sums: [Float], _ counts: [Float], _ text: String) -> ImportanceMatrix {
        ImportanceMatrix(
            entries: ["blk.0.ffn_up_exps.weight": .init(sumsOfSquares: sums, counts: counts)],
            datasets: [text], windowCount: 2, windowSize: 8)
    }

    @Test func everyTokenCountsAlike() throws {
        var merged = matrix([2, 4, 0, 0], [2, 0], "a")
        try merged.merge(matrix([1, 1, 3, 6], [1, 3], "b"))
        #expect(merged.entries["blk.0.ffn_up_exps.weight"]?.sumsOfSquares == [3, 5, 3, 6])
        #expect(merged.entries["blk.0.ffn_up_exps.weight"]?.counts == [3, 3])
        #expect(merged.datasets == ["a", "b"])
        #expect((merged.windowCount, merged.windowSize) == (4, 8))
    }

    @Test func oneCountServesAllExperts() throws {
        var merged = matrix([2, 4, 6, 8], [2], "old")
        try merged.merge(matrix([1, 1, 1, 1], [1, 5], "new"))
        #expect(merged.entries["blk.0.ffn_up_exps.weight"]?.counts == [3, 7])
    }

    @Test func nothingIsAddedToNothing() throws {
        var merged = ImportanceMatrix()
        let one = matrix([1, 2], [1], "a")
        try merged.merge(one)
        #expect(merged == one)
    }

    @Test func refusesTensorsOfAnotherSize() {
        var merged = matrix([2, 4, 6, 8], [2, 2], "a")
        let before = merged
        #expect(throws: ImportanceMismatch.self) {
            try merged.merge(matrix([1, 2, 3], [1], "b"))
        }
        #expect(merged == before)
    }
}

@Suite struct ImportanceStatisticsTests {
    @Test func columnsThatMatterAlikeHaveAllTheEntropy() {
        let entry = ImportanceMatrix.Entry(sumsOfSquares: [3, 3, 3, 3], counts: [3])
        let statistics = entry.statistics
        #expect(statistics.sum == 4 && statistics.mean == 1)
        #expect(statistics.entropy == 2 && statistics.relativeEntropy == 1)
        #expect(statistics.standardDeviation == 0 && statistics.outlierShare == 0)
    }

    @Test func oneColumnAloneHasNone() {
        let entry = ImportanceMatrix.Entry(sumsOfSquares: [0, 8, 0, 0], counts: [2])
        let statistics = entry.statistics
        #expect(statistics.entropy == 0 && statistics.activeShare == 0.25)
        #expect((statistics.least, statistics.greatest) == (0, 4))
        #expect(statistics.standardDeviation == 2 && statistics.outlierShare == 0.25)
    }

    @Test func expertsWithoutTokensAreLeftOut() {
        let entry = ImportanceMatrix.Entry(sumsOfSquares: [1, 3, 0, 0], counts: [1, 0])
        #expect(entry.statistics.columnCount == 2 && entry.statistics.sum == 4)
        #expect(
            ImportanceMatrix.Entry(sumsOfSquares: [0, 0], counts: [0]).statistics.columnCount == 0)
    }

    @Test func proportionalTensorsAreAlike() throws {
        let first = ImportanceMatrix.Entry(sumsOfSquares: [1, 2, 2], counts: [1])
        let second = ImportanceMatrix.Entry(sumsOfSquares: [4, 8, 8], counts: [2])
        let wider = ImportanceMatrix.Entry(sumsOfSquares: [4, 8], counts: [2])
        #expect(try #require(first.similarity(to: second)) == 1)
        #expect(first.similarity(to: wider) == nil)
    }
}
