import Architectures
import ArgumentParser
import BundledData
import ByteIO
import Calibration
import Conversion
import Quantization
import Reporting

struct ImportanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imatrix",
        abstract:
            "Measure how large the inputs of a model's matrices are; merge and show such files.",
        usage: """
            detent imatrix [<options>] [<model>] -o <file>
            detent imatrix merge <file> ... -o <file>
            detent imatrix show [--json] <file>
            """,
        discussion: """
            Importance matrices weight the errors of a quantized model: of this one \
            ('quantize --imatrix') or of llama.cpp. A name that ends in .dat asks for \
            llama.cpp's older form, any other for GGUF; both are read.

              detent imatrix SmolLM2-135M -o imatrix.gguf --calibration text.txt
              detent imatrix merge code.gguf prose.dat -o both.gguf
              detent imatrix show both.gguf
            """,
        subcommands: [Collect.self, Merge.self, Show.self], defaultSubcommand: Collect.self)
}

/// What commands that write an importance matrix have in common.
struct ImportanceOutput: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The file to create: .gguf or .dat.", valueName: "file"),
        completion: .file())
    var output: String

    /// Writes the matrix and says so.
    func write(_ matrix: ImportanceMatrix) throws {
        try ImportanceFile.write(matrix, to: output)
        var lines = matrix.partialEntries.map { "partial: \($0)\n" }
        lines.append(
            "wrote \(output.escapedForDisplay): \(matrix.entries.count) tensors, "
                + "\(matrix.windowCount) windows of \(matrix.windowSize) tokens\n")
        try StandardStream.output.write(lines.joined())
    }
}

extension ImportanceCommand {
    struct Collect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Run text through a model and sum up what its matrices multiply (the default).",
            usage: "detent imatrix [<options>] [<model>] -o <file>")

        enum Weighting: String, ExpressibleByArgument, CaseIterable { case uniform, attention }

        @Argument(
            help: "The model to run; without it, the one that comes with Detent.",
            completion: .file())
        var model: String?

        @OptionGroup var result: ImportanceOutput
        @OptionGroup(title: "Calibration") var text: CalibrationTextOptions

        @Option(
            help: ArgumentHelp(
                "What a token counts: all the same, as in llama-imatrix (uniform), or by how much it "
                    + "is attended to, as in quantize (attention).",
                valueName: "name"))
        var weighting = Weighting.uniform

        @Option(
            help: ArgumentHelp(
                "A file of the same model to start from; may stand several times.",
                valueName: "file"),
            completion: .file())
        var inFile: [String] = []

        @OptionGroup var work: WorkOptions

        func run() throws {
            var matrix = try ImportanceMatrix(merging: inFile)
            let checkpoint = try ModelFile.open(model ?? BundledData.defaultModelPath)
            let windows = try text.windows(for: checkpoint, defaultCount: .max)
            let model = try LanguageModel(checkpoint)
            try windows.check(model)
            let collected = try ImportanceMatrix.collected(
                from: model, windows: windows.windows.ids, dataset: windows.corpus,
                weighting: weighting == .uniform ? .uniform : .attention,
                threadCount: work.threads, progress: work.progress)
            try matrix.merge(collected)
            try result.write(matrix)
        }
    }

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add files of one model, so that every token counts alike.",
            usage: "detent imatrix merge <file> ... -o <file>")

        @Argument(help: "The files to add, GGUF or .dat.", completion: .file())
        var files: [String]

        @OptionGroup var result: ImportanceOutput

        func run() throws { try result.write(ImportanceMatrix(merging: files)) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a file says about each tensor.",
            usage: "detent imatrix show [--json] <file>")

        @Argument(help: "The file to look into, GGUF or .dat.", completion: .file())
        var file: String

        @Flag(help: "Print JSON.")
        var json = false

        func run() throws {
            let report = ImportanceText(try ImportanceFile.read(file), path: file)
            try StandardStream.output.write(
                json ? report.json.text(indentation: 2) + "\n" : report.text)
        }
    }
}

extension ImportanceMatrix {
    /// The sum of some files, nothing for none.
    init(merging paths: [String]) throws {
        self.init()
        for path in paths { try merge(ImportanceFile.read(path)) }
    }

    /// Tensors of experts some of which no token reached, with their coverage.
    var partialEntries: [String] {
        entries.sorted { $0.key < $1.key }.compactMap { name, entry in
            guard entry.reachedCount < entry.counts.count else { return nil }
            let absent = entry.counts.indices.filter { entry.counts[$0] == 0 }.map(String.init)
            return "\(name.string.escapedForDisplay): tokens for \(entry.reachedCount) of "
                + "\(entry.counts.count) matrices, none for \(absent.joined(separator: ", "))"
        }
    }
}
