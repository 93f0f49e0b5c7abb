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
            tokenizer beside it), and anything else is a Hugging Face folder. Weights keep \
            their type where the format has it.

              convert SmolLM2-135M f16.gguf
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

    @Flag(help: "Print the plan with the predicted size; write nothing.")
    var dryRun = false

    @OptionGroup var work: WorkOptions

    func validate() throws {
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
        let plan = try ConversionPlan(
            input: ModelFile.open(paths.input), outputPath: paths.outputPath, recipe: recipe)
        try StandardStream.output.write(PlanText(plan, listsTensors: dryRun).text)
        guard !dryRun else { return }
        let summary = try plan.execute(progress: work.progress)
        let result = SummaryText(summary, plan: plan, elapsed: .now - start)
        try StandardStream.output.write("\n" + result.text)
    }

    private func fileType() throws -> FileType? {
        guard let type else { return nil }
        guard let fileType = FileType(argument: type) else {
            throw ValidationError(
                "'--type \(type.escapedForDisplay)' is not known; there are "
                    + FileType.allValueStrings.joined(separator: ", ") + ".")
        }
        return fileType
    }
}
