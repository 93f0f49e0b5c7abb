import ByteIO
import Evaluation
import Kernels
import TensorIR
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

private let vocabulary = 300
private let convention = Convention.halfWindow(context: 32)

/// A reference, models near it and far from it, and a text.
private struct Scene {
    let reference = TableModel(vocabulary: vocabulary, seed: 21)
    let windows: [EvaluationWindow]

    init() throws {
        var generator = SeededGenerator(seed: 22)
        let ids = (0..<32 * 40).map { _ in
            Int32.random(in: 0..<Int32(vocabulary), using: &generator)
        }
        windows = try convention.windows(of: ids, beginningOfText: nil)
    }

    /// The reference with noise of some deviation on each logit.
    func model(noise: Float) -> TableModel {
        let model = TableModel(vocabulary: vocabulary, seed: 21)
        var generator = SeededGenerator(seed: 23)
        for row in 0..<vocabulary {
            let logits = model.table.row(row)
            for column in logits.indices { logits[column] += noise * generator.normal() }
        }
        return model
    }

    /// What the reference predicts, kept by `recorder`.
    func record(_ recorder: any RowRecorder) throws {
        var evaluator = try Evaluator(model: reference, workers: Workers(threadCount: 2))
        evaluator.recorder = recorder
        evaluator.logitsPerTile = 7 * vocabulary
        _ = try evaluator.evaluate(windows, convention: convention)
    }

    func stored() throws -> StoredReference {
        let recorder = StoredReferenceRecorder(vocabularySize: vocabulary)
        try record(recorder)
        return recorder.finish(windows: windows, context: convention.context)
    }

    func evaluate(
        _ model: TableModel, _ rows: (any ReferenceRows)?
    ) throws -> EvaluationResult.Comparison {
        let evaluator = try Evaluator(
            model: model, reference: rows == nil ? reference : nil, rows: rows,
            workers: Workers(threadCount: 2))
        return try #require(evaluator.evaluate(windows, convention: convention).comparison)
    }
}

/// The text is short, so the sample's error is what matters; four of them leave one text in 16,000 out.
@Test(arguments: [Float(0), 0.05, 0.3, 1, 3]) func aStoredReferenceGivesTheDivergenceOfTheModel(
    noise: Float
) throws {
    let scene = try Scene()
    let model = scene.model(noise: noise)
    let (kept, exact) = (
        try scene.evaluate(model, scene.stored()), try scene.evaluate(model, nil)
    )
    let floor = try #require(kept.noiseFloor)
    let rounding = 1e-5
    #expect(floor.origin == .storage)
    #expect(
        abs(kept.divergence.mean - exact.divergence.mean) <= 4 * floor.divergence + rounding)
    #expect(floor.divergence < 0.05 * exact.divergence.mean + rounding)
    #expect(exact.noiseFloor == nil)
    #expect(abs(kept.perplexityRatio / exact.perplexityRatio - 1) < 1e-6)
    #expect(abs(kept.sameTop.mean - exact.sameTop.mean) <= 0.01)
}

@Test func aStoredReferenceIsReadAsItWasWritten() throws {
    let scene = try Scene()
    let stored = try scene.stored()
    let read = try StoredReference(stored.checkpoint)
    #expect(read.windows == scene.windows.map(\.ids))
    let model = scene.model(noise: 0.5)
    #expect(try scene.evaluate(model, read) == scene.evaluate(model, stored))
    for tensor in stored.checkpoint.tensors {
        let name = tensor.descriptor.name
        let again = try #require(
            read.checkpoint.tensors.first { $0.descriptor.name == name })
        #expect(try again.bytes() == tensor.bytes(), "\(name)")
    }
}

/// Each lies in one way; none may be believed.
@Test(arguments: ["tokens", "losses", "counts", "gaps", "codes"])
func aStoredReferenceWithoutATensorIsRefused(name: String) throws {
    var checkpoint = try Scene().stored().checkpoint
    checkpoint.tensors.removeAll { $0.descriptor.name == name }
    #expect(throws: FormatError.self) { try StoredReference(checkpoint) }
}

@Test(arguments: [
    ("detent.reference.version", UInt32(2)), ("detent.reference.vocabulary", 0),
    ("detent.reference.vocabulary", 10), ("detent.reference.vocabulary", .max),
    ("detent.reference.ctx", 31), ("detent.reference.ctx", 0),
    ("detent.reference.threshold", 65536),
]) func aStoredReferenceThatLiesIsRefused(key: String, value: UInt32) throws {
    var checkpoint = try Scene().stored().checkpoint
    checkpoint.metadata[ExactString(key)] = .uint32(value)
    #expect(throws: FormatError.self) { try StoredReference(checkpoint) }
}

@Test func anotherTextIsNotComparedWithAStoredReference() throws {
    let scene = try Scene()
    let kept = KeptReference(try scene.stored())
    _ = try kept.rows(of: Array(scene.windows.prefix(3)), convention)
    #expect(throws: EvaluationError.storedReferenceDiffers(.text)) {
        try kept.rows(of: [scene.windows[1]], convention)
    }
    #expect(throws: EvaluationError.storedReferenceDiffers(.windows)) {
        try kept.rows(of: scene.windows + [scene.windows[0]], convention)
    }
    #expect(throws: EvaluationError.storedReferenceDiffers(.convention)) {
        try kept.rows(of: scene.windows, .halfWindow(context: 64))
    }
}

/// llama.cpp's codes are 16 bits of 16 nats: half a step is the most that one is off.
@Test(arguments: [300, 301]) func aDumpGivesTheDivergenceOfTheModel(vocabularySize: Int) throws {
    // So that no row spans more than 16 nats: what is beyond them is left out.
    let reference = TableModel(vocabulary: vocabularySize, seed: 31, deviation: 1.5)
    let model = TableModel(vocabulary: vocabularySize, seed: 32, deviation: 1.5)
    var generator = SeededGenerator(seed: 33)
    let ids = (0..<200).map { _ in
        Int32.random(in: 0..<Int32(vocabularySize), using: &generator)
    }
    let windows = try convention.windows(of: ids, beginningOfText: nil)
    let folder = try TemporaryFolder()
    let path = folder.path("dump")
    let writer = try LogitDumpWriter(
        path: path, windows: windows.map(\.ids), vocabularySize: vocabularySize)
    var evaluator = try Evaluator(model: reference, workers: Workers(threadCount: 2))
    evaluator.recorder = writer
    evaluator.logitsPerTile = 4 * vocabularySize
    _ = try evaluator.evaluate(windows, convention: convention)
    try writer.finish()

    let dump = try LogitDump(path: path)
    #expect(dump.vocabularySize == vocabularySize && dump.context == 32)
    #expect(dump.windows == windows.map(\.ids))
    let rowByteCount = 8 + 2 * (vocabularySize + vocabularySize % 2)
    #expect(
        try MappedFile(path: path).bytes.count
            == 20 + 4 * windows.count * 32 + windows.count * 15 * rowByteCount)
    let kept = try #require(
        Evaluator(model: model, rows: dump, workers: Workers()).evaluate(
            windows, convention: convention
        ).comparison)
    let exact = try #require(
        Evaluator(model: model, reference: reference, workers: Workers()).evaluate(
            windows, convention: convention
        ).comparison)
    let halfStep = 16.0 / 65535 / 2
    #expect(abs(kept.divergence.mean - exact.divergence.mean) <= 2 * halfStep)
    #expect(try #require(kept.noiseFloor).divergence <= halfStep)
    #expect(
        abs(log(kept.referencePerplexity) - log(exact.referencePerplexity)) <= 2 * halfStep)
    #expect(abs(kept.sameTop.mean - exact.sameTop.mean) <= 0.02)
}
