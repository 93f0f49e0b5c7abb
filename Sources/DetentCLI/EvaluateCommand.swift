import Architectures
import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Evaluation
import Inference
import Reporting
import TensorIR
import Tokenization

struct EvaluateCommand: RootCommand {
    static let configuration = CommandConfiguration(
        commandName: "evalppl",
        abstract: "Measure how well a model predicts a text.",
        usage: "evalppl [<options>] [<model>]",
        discussion: """
            Prints perplexity, and against a reference also Kullback-Leibler divergence and \
            how often both find the same token most likely. Bounds turn it into a test: \
            exit status 1 says that one did not hold, all of its figure's 95 % interval that is.

              evalppl q4.gguf --text wiki.txt --chunks 48
              evalppl q4.gguf --reference f16.gguf --json report.json
              evalppl q4.gguf --reference f16.gguf --max-kld 0.05 --min-top1 0.9
              evalppl f16.gguf --save-reference f16-predicts.dtz
              evalppl q4.gguf --reference f16-predicts.dtz
            """,
        version: versionText)

    @Argument(help: "The model to measure; without it, the one that comes with Detent.")
    var model: String?

    @Option(
        help: ArgumentHelp(
            "Text to predict: a file, or the name of a bundled corpus "
                + "(default: \(CorpusText.defaultEvaluation)).",
            valueName: "text"),
        completion: .file())
    var text: String?

    @Option(
        help: ArgumentHelp(
            "The model that this one was made from, or what '--save-reference' or "
                + "'llama-perplexity --kl-divergence-base' kept of it.",
            valueName: "model"),
        completion: .file())
    var reference: String?

    @Option(
        help: ArgumentHelp(
            "The text that the model was calibrated on, to be compared with the one that it is measured "
                + "on. By default the one that the model names, where it is there.",
            valueName: "text"),
        completion: .file())
    var calibrationText: String?

    @Option(
        help: ArgumentHelp(
            "Precision of the products with matrices: f32, or bf16, about twice as fast where the processor has "
                + "instructions for it; sums are in f32.",
            valueName: "type"))
    var precision = Precision.f32

    @OptionGroup(title: "Windows") var windows: WindowOptions
    @OptionGroup(title: "Gates") var gates: GateOptions
    @OptionGroup(title: "Outputs") var outputs: EvaluationOutputOptions
    @OptionGroup(title: "Tasks") var tasks: TaskOptions
    @OptionGroup var work: WorkOptions

    func validate() throws {
        if let task = tasks.given {
            guard reference == nil, !gates.isGiven, text == nil, calibrationText == nil,
                outputs.junit == nil, outputs.markdown == nil, outputs.saveReference == nil
            else {
                throw ValidationError(
                    "'\(task)' answers questions; of the other options '--json', '--tasks', '--threads' and "
                        + "'--quiet' go with it.")
            }
        }
        if outputs.saveReference != nil, windows.pplStride != nil {
            throw ValidationError(
                "'--save-reference' keeps half-windows; '--ppl-stride' does not go with it.")
        }
        if reference == nil, let gate = gates.givenForReference.first {
            throw ValidationError("'\(gate)' compares with a reference; add '--reference <model>'.")
        }
    }

    func run() throws {
        if let file = tasks.file { return try answer(file) }
        let baseline = try gates.readBaseline()
        let corpus = try CorpusText(text ?? CorpusText.defaultEvaluation)
        let subject = try Subject(
            model ?? BundledData.defaultModelPath, corpus, context: windows.ctx)
        let leakage = try EvaluationReport.Leakage(
            of: subject.checkpoint, explicit: calibrationText, in: corpus)
        let other = try reference.map { path in
            try Compared(path, with: subject, on: corpus, context: windows.ctx)
        }
        var plan = EvaluationPlan(
            convention: windows.convention, windowLimit: windows.chunks, threadCount: work.threads)
        plan.precision = precision
        if gates.needInterval {
            try plan.checkInterval(ids: subject.ids, beginningOfText: subject.beginningOfText)
        }
        let cut = try plan.convention.windows(
            of: subject.ids, beginningOfText: subject.beginningOfText, limit: plan.windowLimit)
        let kept = try outputs.saveReference.map { path in
            try ReferenceOutput(
                path: path,
                windows: plan.convention.windows(
                    of: subject.ids, beginningOfText: nil, limit: plan.windowLimit),
                vocabularySize: subject.model.description.vocabularySize)
        }
        let result = try plan.evaluate(
            subject.model, against: other?.reference, windows: cut, recorder: kept?.recorder,
            progress: work.progress)
        try kept?.finish(windows: cut, context: windows.ctx)

        var report = EvaluationReport(
            model: subject.summary, reference: other?.summary,
            text: EvaluationReport.Text(
                name: corpus.name, digest: corpus.digest, tokenCount: subject.ids.count),
            result: result)
        report.precision = precision
        report.leakage = leakage
        report.spelling = { [tokenizer = subject.tokenizer] in tokenizer.decode($0) }
        report.regression = try baseline?.regression(of: report)
        report.gates = gates.gates(for: report)
        try outputs.write(report)
        guard report.failedGates.isEmpty else {
            throw GateFailure(messages: report.failedGates.map(\.description))
        }
    }
}

extension Precision: ExpressibleByArgument {}

extension EvaluateCommand {
    /// Multiple-choice tasks instead of a text.
    private func answer(_ file: TaskOptions.File) throws {
        let questions = try tasks.questions(in: file)
        let checkpoint = try ModelFile.open(model ?? BundledData.defaultModelPath, isRun: true)
        let tokenizer = try Tokenizer(checkpoint: checkpoint)
        var plan = EvaluationPlan(convention: windows.convention, threadCount: work.threads)
        plan.precision = precision
        let result = try plan.answer(
            questions, with: LanguageModel(checkpoint),
            encode: { try tokenizer.encode($0, addSpecial: true, parseSpecial: false) },
            progress: work.progress)
        let report = ChoiceReport(
            model: ModelSummary(named: checkpoint), kind: file.kind, path: file.path,
            result: result, precision: precision)
        try outputs.write(json: report.json, table: report.tableText)
    }
}

/// What the model is compared with.
private struct Compared {
    let reference: EvaluationPlan.Reference
    let summary: ModelSummary

    init(_ path: String, with subject: Subject, on corpus: CorpusText, context: Int) throws {
        if let kept = try KeptReference(path: path) {
            reference = .kept(kept)
            summary = ModelSummary(
                path: path, byteCount: try MappedFile(path: path).bytes.count, tensors: [])
            return
        }
        let other = try Subject(path, corpus, context: context)
        guard other.ids == subject.ids else {
            throw UsageError(
                "the model and the reference split the text into different tokens",
                hint: "the reference must be the model that this one was made from")
        }
        (reference, summary) = (.model(other.model), other.summary)
    }
}

/// A model, and the text in its tokens.
private struct Subject {
    let checkpoint: Checkpoint
    let summary: ModelSummary
    let model: LanguageModel
    let tokenizer: Tokenizer
    let ids: [Int32]
    /// What takes the place of a window's first token, where the tokenizer wants it.
    let beginningOfText: Int32?

    init(_ path: String, _ corpus: CorpusText, context: Int) throws {
        checkpoint = try ModelFile.open(path, isRun: true)
        model = try LanguageModel(checkpoint)
        guard context <= model.description.contextLength else {
            throw UsageError(
                "windows of \(context) tokens are longer than the model's context of "
                    + "\(model.description.contextLength)",
                hint: "add '--ctx \(model.description.contextLength)'")
        }
        let tokenizer = try Tokenizer(checkpoint: checkpoint)
        beginningOfText = tokenizer.addsBOS ? tokenizer.bosToken : nil
        let text = try corpus.bytes.withUnsafeBytes {
            try tokenizer.encode(utf8: $0, addSpecial: false, parseSpecial: false)
        }
        ids = (beginningOfText.map { [$0] } ?? []) + text
        summary = ModelSummary(named: checkpoint)
        self.tokenizer = tokenizer
    }
}
