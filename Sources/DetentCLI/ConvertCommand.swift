import ArgumentParser
import ByteIO
import Conversion
import TensorIR

struct ConvertCommand: RootCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Move a model from one format to another.",
        usage: "convert [<options>] [<model>] <output>",
        discussion: """
            The output's name decides its format: .gguf, .safetensors (with config.json and \
            tokenizer beside it), .dtz (any of these, compressed), and anything else is a \
            Hugging Face folder. Weights keep their type where the format has it. From a .dtz \
            file come back the files that it was made of, byte for byte.

              convert SmolLM2-135M f16.gguf
              convert SmolLM2-135M small.dtz
              convert small.dtz SmolLM2-copy/
              convert f16.gguf SmolLM2-copy/
              convert SmolLM2-135M q8.gguf --type q8_0
            """,
        version: versionText)

    @OptionGroup var paths: ConversionPaths

    @Option(
        name: [.customLong("type"), .customLong("outtype")],
        help: ArgumentHelp(
            "Type of the matrices: f32, f16, bf16, or for GGUF a mix as in 'quantize', such as q8_0, each "
                + "weight by itself. The source's by default.",
            valueName: "name"))
    var type: String?

    @Option(
        help: ArgumentHelp(
            "Split the output into files of at most this size: 5GB, 500MiB.", valueName: "size"))
    var maxShardSize: ByteSize?

    @OptionGroup var requantizing: RequantizingOptions
    @OptionGroup(title: "DTZ") var compression: CompressionOptions

    @Flag(help: "Print the plan with the predicted size; write nothing.")
    var dryRun = false

    @OptionGroup var work: WorkOptions

    func validate() throws {
        let isCompressed = OutputFormat.isCompressed(paths.outputPath)
        try compression.check(isCompressed: isCompressed, type: type)
        if isCompressed, maxShardSize != nil {
            throw ValidationError(
                "'--max-shard-size' is not for a '.dtz' output, which is one file.")
        }
        if case .mix(let mix)? = try fileType(), OutputFormat(path: paths.outputPath) != .gguf {
            throw ValidationError(
                "'\(mix.rawValue)' is a type of GGUF; name an output that ends in '.gguf'.")
        }
    }

    func run() throws {
        let start = ContinuousClock.now
        var recipe =
            switch try fileType() {
            case .mix(let mix): Recipe(mix: mix)
            case .scalar(let type): Recipe(encoding: .scalar(type))
            case nil: Recipe()
            }
        recipe.threadCount = work.threads
        recipe.allowsRequantizing = requantizing.allowRequantize
        recipe.maximumShardByteCount = maxShardSize?.byteCount
        recipe.compression = try compression.options(outputPath: paths.outputPath)
        let (input, damage) = try input()
        let plan = try ConversionPlan(
            input: input, outputPath: paths.outputPath, recipe: recipe)
        try StandardStream.output.write(PlanText(plan, listsTensors: dryRun).text)
        if !dryRun {
            let summary = try plan.execute(progress: work.progress)
            let result = SummaryText(summary, plan: plan, elapsed: .now - start)
            try StandardStream.output.write("\n" + result.text)
        }
        guard damage.isEmpty else {
            throw GateFailure(messages: damage.map { "left out: \($0)" })
        }
    }

    /// The model, and what of it could not be read where that is no reason to stop.
    private func input() throws -> (Checkpoint, damage: [String]) {
        if compression.salvage {
            let found = try Verification(
                paths.input, base: compression.inputBase(outputPath: paths.outputPath),
                isSalvaged: true, threadCount: work.threads,
                progress: work.progress)
            guard
                OutputFormat(path: paths.outputPath, dialect: found.checkpoint.dialect).dialect
                    == found.checkpoint.dialect
            else {
                throw UsageError(
                    "'--salvage' copies tensors as they are, and those of "
                        + "'\(paths.input.escapedForDisplay)' have the names of "
                        + (found.checkpoint.dialect == .gguf ? "GGUF." : "Hugging Face."),
                    hint: "name an output of that kind")
            }
            return (found.checkpoint, found.damage)
        }
        // A copy takes files as they are; whoever wants other weights has to understand them.
        let container = try ModelFile.container(
            paths.input, base: compression.inputBase(outputPath: paths.outputPath))
        let format = OutputFormat(path: paths.outputPath, dialect: container.dialect)
        let isCopy =
            type == nil && format.dialect == container.dialect
            && (OutputFormat.isCompressed(paths.outputPath) || container.isInDTZ)
        return (isCopy ? container : try ModelFile.gathered(container), [])
    }

    private func fileType() throws -> FileType? {
        guard let type else { return nil }
        guard let fileType = FileType(name: type) else {
            throw ValidationError(
                "'--type \(type.escapedForDisplay)' is not known; there are "
                    + FileType.names.joined(separator: ", ") + ".")
        }
        return fileType
    }
}
