import Architectures
import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Evaluation
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
            exit status 1 says that one did not hold.

              evalppl q4.gguf --text wiki.txt --chunks 48
              evalppl q4.gguf --reference f16.gguf --json report.json
              evalppl q4.gguf --reference f16.gguf --max-kld 0.05 --min-top1 0.9
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
        help: ArgumentHelp("The model that this one was made from.", valueName: "model"),
        completion: .file())
    var reference: String?

    @Option(
        help: ArgumentHelp(
            "Write the report as JSON to a file, or to standard output instead of the table: '-'.",
            valueName: "file"),
        completion: .file())
    var json: String?

    @OptionGroup(title: "Windows") var windows: WindowOptions
    @OptionGroup(title: "Gates") var gates: GateOptions
    @OptionGroup var work: WorkOptions

    func validate() throws {
        if reference == nil, let gate = gates.given.first {
            throw ValidationError("'\(gate)' compares with a reference; add '--reference <model>'.")
        }
    }

    func run() throws {
        let corpus = try CorpusText(text ?? CorpusText.defaultEvaluation)
        let subject = try Subject(
            model ?? BundledData.defaultModelPath, corpus, context: windows.ctx)
        let other = try reference.map { try Subject($0, corpus, context: windows.ctx) }
        if let other, other.ids != subject.ids {
            throw UsageError(
                "the model and the reference split the text into different tokens",
                hint: "the reference must be the model that this one was made from")
        }
        let plan = EvaluationPlan(
            convention: windows.convention, windowLimit: windows.chunks, threadCount: work.threads)
        let result = try plan.evaluate(
            subject.model, against: other?.model, ids: subject.ids,
            beginningOfText: subject.beginningOfText, progress: work.progress)

        let report = EvaluationReport(
            model: subject.summary, reference: other?.summary, text: corpus.name,
            textTokenCount: subject.ids.count, result: result, gates: gates.gates(for: result))
        try write(report)
        guard report.failedGates.isEmpty else {
            throw GateFailure(messages: report.failedGates.map(\.description))
        }
    }

    private func write(_ report: EvaluationReport) throws {
        let document = report.json.text(indentation: 2) + "\n"
        if json == "-" { return try StandardStream.output.write(document) }
        if let json {
            let file = try OutputFile(path: json)
            try file.write(Array(document.utf8), at: 0)
            try file.commit()
        }
        try StandardStream.output.write(report.tableText)
    }
}

/// A model, and the text in its tokens.
private struct Subject {
    let summary: ModelSummary
    let model: LanguageModel
    let ids: [Int32]
    /// What takes the place of a window's first token, where the tokenizer wants it.
    let beginningOfText: Int32?

    init(_ path: String, _ corpus: CorpusText, context: Int) throws {
        let checkpoint = try ModelFile.open(path, isRun: true)
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
    }
}

/// How the text is cut and what of it is scored.
struct WindowOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp("Tokens in a window.", valueName: "n"))
    var ctx = 512

    @Option(help: ArgumentHelp("Windows at most; all by default.", valueName: "n"))
    var chunks: Int?

    @Option(
        help: ArgumentHelp(
            "Move windows by so many tokens and score each token once, as Hugging Face does. By default "
                + "windows stand side by side and the second half of each is scored, as llama.cpp does.",
            valueName: "n"))
    var pplStride: Int?

    var convention: Convention {
        pplStride.map { .strided(context: ctx, stride: $0) } ?? .halfWindow(context: ctx)
    }

    func validate() throws {
        guard (4...1 << 24).contains(ctx) else {
            throw ValidationError("'--ctx' must be at least 4.")
        }
        if let chunks, chunks < 1 { throw ValidationError("'--chunks' must be at least 1.") }
        if let pplStride, !(1...ctx).contains(pplStride) {
            throw ValidationError("'--ppl-stride' must be between 1 and '--ctx', which is \(ctx).")
        }
    }
}

/// Bounds for the figures.
struct GateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Mean divergence from the reference, in nats per token.", valueName: "x")
    )
    var maxKld: Double?

    @Option(
        help: ArgumentHelp("Perplexity over the reference's.", valueName: "x"))
    var maxPplRatio: Double?

    @Option(
        help: ArgumentHelp(
            "Share of tokens, 0 to 1, at which both find the same one most likely.", valueName: "x")
    )
    var minTop1: Double?

    var given: [String] {
        [("--max-kld", maxKld), ("--max-ppl-ratio", maxPplRatio), ("--min-top1", minTop1)]
            .filter { $0.1 != nil }.map(\.0)
    }

    func validate() throws {
        if let minTop1, !(0...1).contains(minTop1) {
            throw ValidationError("'--min-top1' is a share between 0 and 1, such as 0.9.")
        }
        for (name, bound) in [("--max-kld", maxKld), ("--max-ppl-ratio", maxPplRatio)] {
            if let bound, !(bound >= 0) { throw ValidationError("'\(name)' must not be negative.") }
        }
    }

    func gates(for result: EvaluationResult) -> [EvaluationReport.Gate] {
        guard let comparison = result.comparison else { return [] }
        return [
            maxKld.map { .init("mean KL divergence", comparison.divergence.mean, .atMost, $0) },
            maxPplRatio.map { .init("perplexity ratio", comparison.perplexityRatio, .atMost, $0) },
            minTop1.map {
                .init("share of the same most likely token", comparison.sameTop.mean, .atLeast, $0)
            },
        ].compactMap { $0 }
    }
}
