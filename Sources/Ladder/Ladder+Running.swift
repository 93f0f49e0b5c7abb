import Architectures
import ByteIO
import Conversion
import Evaluation
import Kernels
import OrderedCollections
import ProgressReporting
import Reporting
import TensorIR
import Tokenization

extension Ladder {
    /// Makes the copies, evaluates the written files, and writes the report's three pages.
    ///
    /// - Parameters:
    ///   - folder: where everything goes; what is done there already is taken up.
    ///   - progress: told of each copy, and of the steps within.
    /// - Returns: the report, and how much of it was there.
    /// - Throws: what quantizing and evaluating throw. What was finished before stays.
    public func run(
        in folder: LadderFolder, progress: some ProgressSink = SilentProgress()
    ) throws -> Outcome {
        let work = try LadderWork(self)
        try folder.create()
        var report = try work.emptyReport()
        var (keptFiles, keptEvaluations) = (0, 0)
        for rung in rungs {
            if let reason = try work.obstacle(rung, in: folder) {
                report.omissions.append(
                    LadderReport.Omission(
                        type: rung.type.name, method: rung.method?.rawValue ?? "", reason: reason))
                continue
            }
            let phase = Phase(rung.title, unit: "steps")
            progress.begin(phase, total: 2)
            defer { progress.end(phase) }
            var state: RungState
            let found = try RungState.read(rung, in: folder)
            if let found, found.makingKey == work.makingKey(rung) {
                state = found
                keptFiles += 1
            } else {
                state = try work.make(rung, at: folder.model(rung), progress)
                try folder.write(state.json.text(indentation: 2) + "\n", to: folder.state(rung))
            }
            progress.advance(phase, by: 1)
            let key = work.measuringKey(state)
            if let measured = state.measured, measured.key == key {
                report.entries.append(
                    try LadderReport.Entry(measured.entry, subject: "state of \(rung.name)"))
                keptEvaluations += 1
            } else {
                let entry = try work.measure(rung, state, in: folder, progress)
                state.measured = (key, entry.json)
                try folder.write(state.json.text(indentation: 2) + "\n", to: folder.state(rung))
                report.entries.append(entry)
            }
            progress.advance(phase, by: 1)
        }
        try folder.write(report)
        try folder.forgetReference()
        return Outcome(
            report: report, keptFileCount: keptFiles, keptEvaluationCount: keptEvaluations)
    }
}

/// A ladder with everything that its rungs share: tokens, digests, and the reference once it has run.
final class LadderWork {
    let ladder: Ladder
    let modelDigest, referenceDigest, textDigest: String
    let ids: [Int32]
    let beginningOfText: Int32?
    let leakage: EvaluationReport.Leakage?
    private var keptReference: KeptStates?

    init(_ ladder: Ladder) throws {
        self.ladder = ladder
        modelDigest = try ladder.model.checkpoint.contentDigest()
        referenceDigest = try ladder.reference?.checkpoint.contentDigest() ?? modelDigest
        textDigest = ContentDigest.sha256(ladder.text.bytes)
        let tokens = try Self.tokens(of: ladder.text, for: ladder.model.checkpoint)
        (ids, beginningOfText) = (tokens.ids, tokens.beginningOfText)
        // A text that is too short is better known before the first file is made.
        _ = try ladder.evaluation.convention.windows(
            of: ids, beginningOfText: beginningOfText, limit: ladder.evaluation.windowLimit)
        if let reference = ladder.reference {
            guard try Self.tokens(of: ladder.text, for: reference.checkpoint).ids == ids else {
                throw ModelError(
                    "the model and the reference split the text into different tokens; the reference "
                        + "must be the model that this one was made from")
            }
        }
        leakage = ladder.calibration.map { calibration in
            EvaluationReport.Leakage(
                calibration: calibration.text.name,
                overlap: TextOverlap(
                    evaluation: ladder.text.bytes, calibration: calibration.text.bytes))
        }
    }

    private static func tokens(
        of text: Ladder.Text, for checkpoint: Checkpoint
    ) throws -> (ids: [Int32], beginningOfText: Int32?, tokenizer: Tokenizer) {
        let tokenizer = try Tokenizer(checkpoint: checkpoint)
        let beginning = tokenizer.addsBOS ? tokenizer.bosToken : nil
        let ids = try text.bytes.withUnsafeBytes {
            try tokenizer.encode(utf8: $0, addSpecial: false, parseSpecial: false)
        }
        return ((beginning.map { [$0] } ?? []) + ids, beginning, tokenizer)
    }

    private var reference: Ladder.Model { ladder.reference ?? ladder.model }

    func emptyReport() throws -> LadderReport {
        LadderReport(
            version: ladder.version, model: source(ladder.model, modelDigest),
            reference: source(reference, referenceDigest),
            text: EvaluationReport.Text(
                name: ladder.text.name, digest: textDigest, tokenCount: ids.count),
            convention: ladder.evaluation.convention, windowLimit: ladder.evaluation.windowLimit,
            calibration: ladder.calibration.map {
                LadderReport.Calibration(
                    name: $0.text.name, digest: $0.digest, windowCount: $0.windows.ids.count,
                    length: $0.length, seed: $0.seed)
            },
            environment: MachineDescription.current(
                threadCount: Workers(threadCount: ladder.evaluation.threadCount).threadCount),
            command: ladder.command)
    }

    private func source(_ model: Ladder.Model, _ digest: String) -> LadderReport.Source {
        let summary = ModelSummary(model.checkpoint)
        return LadderReport.Source(
            name: model.displayName, digest: digest, byteCount: summary.byteCount,
            parameterCount: summary.parameterCount, bitsPerWeight: summary.bitsPerWeight)
    }

    // MARK: Making

    private func plan(_ rung: Rung, at path: String) throws -> ConversionPlan {
        var recipe = rung.recipe(ladder.calibration)
        recipe.threadCount = ladder.evaluation.threadCount
        recipe.provenance = provenance(rung, recipe)
        return try ConversionPlan(
            input: ladder.model.checkpoint, outputPath: path, recipe: recipe)
    }

    /// Why there can be no such copy; nil where there can.
    func obstacle(_ rung: Rung, in folder: LadderFolder) throws -> String? {
        if let obstacle = rung.obstacle { return obstacle }
        do {
            try plan(rung, at: folder.model(rung)).checkEncoders()
            return nil
        } catch let error as ModelError {
            return error.description
        } catch let error as RequantizationError {
            return error.description
        }
    }

    func make(
        _ rung: Rung, at path: String, _ progress: some ProgressSink
    ) throws -> RungState {
        let start = ContinuousClock.now
        let plan = try plan(rung, at: path)
        let summary = try plan.execute(progress: progress)
        return RungState(
            makingKey: makingKey(rung),
            digest: try MappedFile(path: path).withBytes(ContentDigest.sha256),
            seconds: (ContinuousClock.now - start) / .seconds(1),
            notes: summary.ladderNotes(of: plan))
    }

    /// What the file says of its origin, which is what `quantize` would write.
    private func provenance(_ rung: Rung, _ recipe: Recipe) -> Metadata {
        guard let method = rung.method else { return [:] }
        var options: [String: JSON] = [
            "method": .string(method.rawValue), "type": .string(rung.type.name),
        ]
        if rung.needsCalibration, let calibration = ladder.calibration {
            options["calibration"] = .string(calibration.text.name)
            options["nsamples"] = .string(String(calibration.windows.ids.count))
            options["seqlen"] = .string(String(calibration.length))
            options["seed"] = calibration.seed.map { .string(String($0)) }
        }
        if method.usesGPTQ {
            options["damp-percent"] = .string(recipe.dampingFraction.description)
            options["desc-act"] = .bool(recipe.columnOrder == .activation)
            options["drift-compensation"] = .bool(recipe.compensatesDrift)
            options["random-windows"] = .string(String(recipe.decidedRandomWindowCount))
        }
        let members = options.sorted { $0.key < $1.key }.map { (ExactString($0.key), $0.value) }
        var provenance = Provenance(
            version: ladder.version,
            recipe: JSON.object(JSON.Members(uniqueKeysWithValues: members)).text(),
            sourceName: ladder.model.name, digests: ["source": modelDigest])
        provenance.digests["calibration"] = recipe.calibrationDigest
        return provenance.metadata
    }

    /// A digest of all that a file is made of.
    func makingKey(_ rung: Rung) -> String {
        var parts = [
            "making", ladder.version, modelDigest, ladder.model.name, rung.type.name,
            rung.method?.rawValue ?? "",
        ]
        if rung.needsCalibration, let calibration = ladder.calibration {
            parts += [
                calibration.digest, calibration.text.name,
                String(calibration.windows.ids.count), String(calibration.length),
                calibration.seed.map(String.init) ?? "",
            ]
        }
        return Self.key(parts)
    }

    private static func key(_ parts: [String]) -> String {
        ContentDigest.sha256(JSON.array(parts.map(JSON.string)).bytes())
    }

    // MARK: Measuring

    private var textParts: [String] {
        let convention = ladder.evaluation.convention
        return [
            ladder.version, referenceDigest, reference.displayName, textDigest, ladder.text.name,
            convention.name, String(convention.context), String(convention.stride),
            ladder.evaluation.windowLimit.map(String.init) ?? "",
        ]
    }

    /// A digest of all that an evaluation depends on.
    func measuringKey(_ state: RungState) -> String {
        Self.key(["measuring", state.makingKey, state.digest] + textParts)
    }

    func measure(
        _ rung: Rung, _ state: RungState, in folder: LadderFolder, at path: String? = nil,
        _ progress: some ProgressSink
    ) throws -> LadderReport.Entry {
        let kept = try keptReference ?? keep(folder.referenceStates, progress)
        let start = ContinuousClock.now
        let path = path ?? folder.model(rung)
        let checkpoint = try ModelFile.open(path, isRun: true)
        let tokens = try Self.tokens(of: ladder.text, for: checkpoint)
        guard tokens.ids == ids else {
            throw ModelError("'\(path)' splits the text into other tokens than the model")
        }
        let result = try ladder.evaluation.evaluate(
            LanguageModel(checkpoint), against: kept, ids: ids, beginningOfText: beginningOfText,
            progress: progress)
        var evaluation = EvaluationReport(
            model: ModelSummary(checkpoint, name: rung.fileName),
            reference: ModelSummary(reference.checkpoint, name: reference.displayName),
            text: EvaluationReport.Text(
                name: ladder.text.name, digest: textDigest, tokenCount: ids.count),
            result: result)
        evaluation.leakage = rung.needsCalibration ? leakage : nil
        evaluation.spelling = { [tokenizer = tokens.tokenizer] in tokenizer.decode($0) }
        var entry = try LadderReport.Entry(
            type: rung.type.name, method: rung.method?.rawValue, file: rung.fileName,
            byteCount: checkpoint.byteCount, digest: state.digest,
            tensors: tensors(of: checkpoint, rung, path), notes: state.notes,
            evaluation: evaluation.json)
        entry.quantizingSeconds = state.seconds
        entry.evaluatingSeconds = (ContinuousClock.now - start) / .seconds(1)
        return entry
    }

    private func keep(_ path: String, _ progress: some ProgressSink) throws -> KeptStates {
        let kept = try ladder.evaluation.keep(
            LanguageModel(reference.checkpoint), ids: ids, beginningOfText: beginningOfText,
            path: path, key: Self.key(["reference"] + textParts), progress: progress)
        keptReference = kept
        return kept
    }

    /// The file's tensors, matrices with their error where the method left them what they were.
    private func tensors(
        of checkpoint: Checkpoint, _ rung: Rung, _ path: String
    ) throws -> [LadderReport.Tensor] {
        let workers = Workers(threadCount: ladder.evaluation.threadCount)
        // AWQ scales channels of one matrix and undoes it in another: weights are other quantities then.
        let isComparable = rung.method?.usesAWQ != true
        let sources = Dictionary(
            try plan(rung, at: path).tensors.map { ($0.target.name, $0.source) },
            uniquingKeysWith: { first, _ in first })
        return try checkpoint.tensors.map { tensor in
            let descriptor = tensor.descriptor
            var entry = LadderReport.Tensor(
                name: descriptor.name, encoding: descriptor.encoding.description,
                shape: descriptor.shape, byteCount: descriptor.byteCount)
            if isComparable, descriptor.shape.count > 1, let source = sources[descriptor.name],
                source.descriptor.shape == descriptor.shape
            {
                let error = try WeightError(source, tensor, workers)
                (entry.squares, entry.errorSquares) = (error.firstSquares, error.errorSquares)
            }
            return entry
        }
    }
}

extension Ladder.Model {
    /// The bundled model has no name of the user's.
    var displayName: String { name.isEmpty ? "detent-tiny" : name }
}

extension ConversionSummary {
    /// What a report says about how a file was made.
    fileprivate func ladderNotes(of plan: ConversionPlan) -> [String] {
        var reasons: OrderedDictionary<String, Int> = [:]
        for tensor in plan.tensors {
            guard let fallback = tensor.fallback else { continue }
            let text =
                "\(tensor.target.encoding) in place of \(fallback.wanted): \(fallback.reason)"
            reasons[text, default: 0] += 1
        }
        var notes = reasons.map { reason, count in
            "\(count) \(count == 1 ? "tensor" : "tensors") as \(reason)"
        }
        notes += fallbacks
        notes += channelScales.omissions.map { "channels not scaled: \($0)" }
        if !unreachedExperts.isEmpty {
            notes.append("\(unreachedExperts.count) experts that no calibration token reached")
        }
        return notes
    }
}
