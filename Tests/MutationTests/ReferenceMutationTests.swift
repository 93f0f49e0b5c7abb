import ByteIO
import Evaluation
import Kernels
import TensorIR
import TestSupport
import Testing

/// Damaged files of predictions are read or refused, and what is read can be compared with.
@Suite struct ReferenceMutationTests {
    private static let rounds = 300
    private static let vocabulary = 19
    private static let context = 8
    private static let logits = Matrix(
        rows: 6, columns: vocabulary, (0..<6 * vocabulary).map { Float($0 * $0 % 23) / 4 })
    private static let targets = [3, 1, 4, 1, 5, 9]

    private static func windows() throws -> [EvaluationWindow] {
        try Convention.halfWindow(context: context).windows(
            of: (0..<16).map { Int32($0) }, beginningOfText: nil)
    }

    /// Compares a row of other logits with each row.
    private func use(_ rows: any ReferenceRows) {
        guard rows.vocabularySize == Self.vocabulary else { return }
        let row = UnsafeBufferPointer(Self.logits.row(0))
        for index in 0..<6 {
            _ = rows.compare(
                row: index, id: 2, logits: row, logSumExp: RowFunctions.logSumExp(row))
        }
    }

    @Test(arguments: ["tokens", "losses", "counts", "gaps", "codes"])
    func damagedStoredReferencesNeverTrap(name: String) throws {
        let recorder = StoredReferenceRecorder(vocabularySize: Self.vocabulary)
        recorder.record(Self.logits, ids: Self.targets, on: Workers(threadCount: 1))
        let original = try recorder.finish(windows: Self.windows(), context: Self.context)
            .checkpoint
        let place = try #require(
            original.tensors.firstIndex { $0.descriptor.name == name })
        let bytes = try original.tensors[place].bytes()
        try Mutator.damage(bytes, rounds: Self.rounds) { damaged, _ in
            // The container keeps the size: what is cut off is as it was, and what is added is not there.
            let fitted = (damaged + bytes.dropFirst(damaged.count)).prefix(bytes.count)
            var checkpoint = original
            checkpoint.tensors[place] = BufferedTensor(
                original.tensors[place].descriptor, bytes: Array(fitted))
            use(try StoredReference(checkpoint))
        }
    }

    @Test func damagedDumpsNeverTrap() throws {
        let folder = try TemporaryFolder()
        let writer = try LogitDumpWriter(
            path: folder.path("dump"), windows: Self.windows().map(\.ids),
            vocabularySize: Self.vocabulary)
        try writer.record(Self.logits, ids: Self.targets, on: Workers(threadCount: 1))
        try writer.finish()
        let original = try MappedFile.contents(ofFile: folder.path("dump"))
        use(try LogitDump(path: folder.path("dump")))
        try Mutator.damage(original, rounds: Self.rounds) { bytes, _ in
            use(try LogitDump(path: folder.write(bytes, to: "damaged")))
        }
        for length in original.indices {
            let path = try folder.write(Array(original[..<length]), to: "cut")
            #expect(throws: FormatError.self, "cut to \(length)") { try LogitDump(path: path) }
        }
    }
}
