import Architectures
import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Evaluation
import Ladder
import Reporting

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract:
            "Quantize a model to several types, measure what each file lost, and write it up.",
        usage: """
            detent report [make] [<options>] [<model>] --output <folder>
            detent report check [<options>] <folder>
            """,
        discussion: """
            Writes report.json, report.md and report.html, one page that needs nothing else, and \
            the files under models/. What is done is not done again: the same command goes on \
            where an earlier one ended, however it ended.

              detent report SmolLM2-135M -o ladder --types f16,q4_0 --methods rtn,gptq
              detent report -o ladder --text wiki.txt --chunks 48
              detent report check ladder --model SmolLM2-135M

            'detent report make --help' lists all options.
            """,
        subcommands: [ReportMakeCommand.self, ReportCheckCommand.self],
        defaultSubcommand: ReportMakeCommand.self)
}

struct ReportMakeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make",
        abstract: "Make copies of a model, measure them, and write the report.",
        usage: "detent report [make] [<options>] [<model>] --output <folder>")

    @Argument(
        help: "The model to make copies of; without it, the one that comes with Detent.",
        completion: .file())
    var model: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The folder to write to.", valueName: "folder"),
        completion: .directory)
    var output: String

    @Option(
        help: ArgumentHelp(
            "Types, with commas between them: those of 'quantize --type', and f32, f16 and bf16, to which "
                + "the model is converted.",
            valueName: "names"))
    var types = "f16,q8_0,q4_0,q2_k"

    @Option(
        help: ArgumentHelp(
            "Methods, with commas between them: rtn, gptq, awq, awq+gptq.", valueName: "names"))
    var methods = "rtn,gptq"

    @Option(
        help: ArgumentHelp(
            "Text to measure on: a file, or the name of a bundled corpus "
                + "(default: \(CorpusText.defaultEvaluation)).",
            valueName: "text"),
        completion: .file())
    var text: String?

    @Option(
        help: ArgumentHelp(
            "What copies are compared with; the model itself by default.", valueName: "model"),
        completion: .file())
    var reference: String?

    @OptionGroup(title: "Windows") var windows: WindowOptions
    @OptionGroup(title: "Calibration") var calibration: CalibrationTextOptions
    @OptionGroup var work: WorkOptions

    /// Windows of calibration text: a fourth of what `quantize` takes, for every type takes them again.
    static let calibrationWindowCount = 32

    func validate() throws {
        _ = (try parsedTypes(), try parsedMethods())
    }

    func run() throws {
        let rungs = Rung.all(try parsedTypes(), by: try parsedMethods())
        let ladder = try Inputs(
            model: model, reference: reference, text: text, calibration: calibration,
            calibrationWindowCount: Self.calibrationWindowCount, windows: windows,
            threadCount: work.threads
        ).ladder(rungs, command: CommandText.current)
        let outcome = try ladder.run(in: LadderFolder(output), progress: work.progress)
        let kept =
            outcome.keptFileCount + outcome.keptEvaluationCount > 0
            ? "\n\(outcome.keptFileCount) files and \(outcome.keptEvaluationCount) evaluations were "
                + "done before\n" : ""
        try StandardStream.output.write(
            outcome.report.tableText + kept + "\n\(output.escapedForDisplay)/report.html\n")
    }

    private func parsedTypes() throws -> [FileType] {
        try types.split(separator: ",").map { name in
            guard let type = FileType(name: String(name)) else {
                throw ValidationError(
                    "'\(String(name).escapedForDisplay)' is no type; there are "
                        + FileType.names.joined(separator: ", ") + ".")
            }
            return type
        }.nonEmpty("--types")
    }

    private func parsedMethods() throws -> [QuantizationMethod] {
        try methods.split(separator: ",").map { name in
            guard let method = QuantizationMethod(rawValue: String(name)) else {
                throw ValidationError(
                    "'\(String(name).escapedForDisplay)' is no method; there are "
                        + QuantizationMethod.allCases.map(\.rawValue).joined(separator: ", ") + ".")
            }
            return method
        }.nonEmpty("--methods")
    }
}

extension Array {
    fileprivate func nonEmpty(_ option: String) throws -> [Element] {
        guard !isEmpty else { throw ValidationError("'\(option)' names nothing.") }
        return self
    }
}

struct ReportCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compute again what a report says and must repeat.",
        usage: "detent report check [<options>] <folder>",
        discussion: """
            Files that are there must have the report's bytes; those that are not are made anew. \
            All are evaluated again. Exit status 1 says that something differs, and names it. Model \
            and texts are looked for under the names that the report has, from here, unless \
            options say where they are.

              detent report check Reports/ladder --model SmolLM2-135M --text wiki.txt
            """)

    @Argument(help: "What 'detent report' wrote to.", completion: .directory)
    var folder: String

    @Option(
        help: ArgumentHelp("Where the model is now.", valueName: "model"), completion: .file())
    var model: String?

    @Option(
        help: ArgumentHelp("Where the reference is now.", valueName: "model"),
        completion: .file())
    var reference: String?

    @Option(
        help: ArgumentHelp("Where the text is now.", valueName: "text"), completion: .file())
    var text: String?

    @Option(
        help: ArgumentHelp("Where the calibration text is now.", valueName: "text"),
        completion: .file())
    var calibration: String?

    @Flag(help: "Make the files anew that are there, too.")
    var remake = false

    @OptionGroup var work: WorkOptions

    func run() throws {
        let folder = LadderFolder(folder)
        let report = try folder.report()
        let hasOtherReference = report.reference.digest != report.model.digest
        var calibrationText = CalibrationTextOptions()
        calibrationText.calibration = calibration ?? report.calibration?.name
        calibrationText.nsamples = report.calibration.map(\.windowCount)
        calibrationText.seqlen = report.calibration?.length
        calibrationText.seed = report.calibration?.seed
        var windows = WindowOptions()
        windows.ctx = report.convention.context
        windows.chunks = report.windowLimit
        windows.pplStride =
            if case .strided(_, let stride) = report.convention { stride } else { nil }
        let inputs = Inputs(
            model: model ?? Inputs.place(ofModel: report.model.name),
            reference: hasOtherReference ? reference ?? report.reference.name : nil,
            text: text ?? report.text.name, calibration: calibrationText,
            calibrationWindowCount: ReportMakeCommand.calibrationWindowCount, windows: windows,
            threadCount: work.threads)
        let ladder = try inputs.ladder(Ladder.rungs(of: report), command: report.command)
        let differences = try ladder.check(
            report, in: folder, remakes: remake, progress: work.progress)
        guard differences.isEmpty else { throw GateFailure(messages: differences) }
        try StandardStream.output.write(
            "\(report.entries.count == 1 ? "1 file and its" : "\(report.entries.count) files and their") figures are what the report says\n"
        )
    }
}

/// What a ladder is set up from, as users name it.
private struct Inputs {
    let model, reference, text: String?
    let calibration: CalibrationTextOptions
    let calibrationWindowCount: Int
    let windows: WindowOptions
    let threadCount: Int?

    /// The bundled model is found without a path, unless there is something under its name here.
    static func place(ofModel name: String) -> String? {
        let isBundled = splitPath(BundledData.defaultModelPath).name == name
        return isBundled && !FileSystem.exists(name) ? nil : name
    }

    func ladder(_ rungs: [Rung], command: String) throws -> Ladder {
        let model = try open(model)
        let corpus = try CorpusText(text ?? CorpusText.defaultEvaluation)
        var ladder = Ladder(
            rungs, of: model, text: Ladder.Text(name: corpus.fileName, bytes: corpus.bytes),
            evaluation: EvaluationPlan(
                convention: windows.convention, windowLimit: windows.chunks,
                threadCount: threadCount),
            version: versionText, command: command)
        ladder.reference = try reference.map(open)
        if rungs.contains(where: { $0.method?.needsCalibration == true }) {
            let found = try calibration.windows(
                for: model.checkpoint, defaultCount: calibrationWindowCount)
            try found.check(LanguageModel(model.checkpoint))
            ladder.calibration = Ladder.Calibration(
                Ladder.Text(name: found.name, bytes: found.text), windows: found.windows,
                length: found.length, seed: calibration.seed)
        }
        let context = try LanguageModel(model.checkpoint).description.contextLength
        guard windows.ctx <= context else {
            throw UsageError(
                "windows of \(windows.ctx) tokens are longer than the model's context of \(context)",
                hint: "add '--ctx \(context)'")
        }
        return ladder
    }

    private func open(_ path: String?) throws -> Ladder.Model {
        guard let path else {
            return Ladder.Model(try ModelFile.open(BundledData.defaultModelPath), name: "")
        }
        let name = splitPath(path.hasSuffix("/") ? String(path.dropLast()) : path).name
        return Ladder.Model(try ModelFile.open(path), name: name)
    }
}

/// The command line, for others to repeat: files without their folders.
private enum CommandText {
    static var current: String {
        (["detent"] + CommandLine.arguments.dropFirst()).map { argument in
            let name = argument.contains("/") ? splitPath(trimmed(argument)).name : argument
            return name.contains(where: { " '\"$\\".contains($0) }) ? "'\(name)'" : name
        }.joined(separator: " ")
    }

    private static func trimmed(_ path: String) -> String {
        path.hasSuffix("/") ? String(path.dropLast()) : path
    }
}
