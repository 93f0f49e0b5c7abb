import Architectures
import ArgumentParser
import ByteIO
import Conversion
import Quantization
import TensorIR
import Tokenization

struct QuantizeCommand: RootCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Write a smaller copy of a model.",
        usage: "quantize [<options>] [<model>] <output>",
        discussion: """
            Reads a Hugging Face folder, a .safetensors file in one, a .gguf or a .dtz file. \
            Writes a .gguf file, or a folder with a GPTQ checkpoint; a name that ends in \
            .dtz, or in .safetensors.dtz, has the one or the other compressed. \
            The output appears under its name only when it is complete.

              quantize SmolLM2-135M out.gguf --bits 4
              quantize SmolLM2-135M out.gguf --method gptq --calibration text.txt
              quantize SmolLM2-135M out/ --method gptq --bits 4 --group-size 128
              quantize --method gptq --bits 4 -o out.gguf
            """,
        version: versionText)

    typealias Method = QuantizationMethod

    @OptionGroup var paths: ConversionPaths
    @OptionGroup(title: "Grid") var grid: GridOptions
    @OptionGroup(title: "Types of single tensors") var tensorTypes: TensorTypeOptions
    @OptionGroup(title: "Size") var size: BudgetOptions

    @Option(
        help: """
            How codes are chosen: each by itself (rtn), or so that they make up for each other (gptq). \
            awq and awq+gptq first scale channels so that weights with large inputs are rounded more \
            finely.
            """
    )
    var method = Method.rtn

    @OptionGroup(title: "Method") var tuning: MethodOptions
    @OptionGroup(title: "Rotation") var rotation: RotationOptions
    @OptionGroup(title: "Calibration") var calibration: CalibrationOptions

    @OptionGroup var requantizing: RequantizingOptions
    @OptionGroup(title: "DTZ") var effort: EffortOptions

    @Flag(help: "Print the plan with the predicted size; write nothing.")
    var dryRun = false

    @OptionGroup(title: "Recipe") var file: RecipeFileOptions

    @OptionGroup var work: WorkOptions

    func validate() throws {
        try tuning.check(method: method)
        try effort.check(isCompressed: OutputFormat.isCompressed(paths.outputPath))
        try rotation.check(imatrix: calibration.imatrix)
        try calibration.check(method: method)
        try tensorTypes.check(format: OutputFormat(path: paths.outputPath))
        try size.check(
            format: OutputFormat(path: paths.outputPath), grid: grid, types: tensorTypes)
        _ = try grid.recipe(for: OutputFormat(path: paths.outputPath), method: .rtn)
    }

    func run() throws {
        let start = ContinuousClock.now
        let input = try ModelFile.open(paths.input)
        var recipe = try recipe()
        recipe.threadCount = work.threads
        if statesSourceDigest, !dryRun {
            recipe.sourceDigest = SourceDigest(of: input, threadCount: work.threads)
        }
        recipe.compression = effort.options
        recipe.allowsRequantizing = requantizing.allowRequantize
        recipe.importance = try calibration.imatrix.map(ImportanceFile.read)
        recipe.isStrict = calibration.strict
        recipe.precision = calibration.precision
        recipe.activationByteLimit = calibration.maxMemory?.byteCount
        let windows = try calibration.windows(
            for: input, isNeeded: method.needsCalibration || size.isGiven)
        recipe.calibrationWindows = windows?.windows.ids ?? []
        recipe.calibrationDigest = windows.map { ContentDigest.sha256($0.text) }
        // Outputs of one recipe have one size, which a budget must know before it is spent.
        recipe.provenance = try provenance(of: recipe, input: input, windows, isPlanned: true)
        if size.isGiven { try windows?.check(LanguageModel(input)) }
        recipe.budget = try size.budget(
            of: input, outputPath: paths.outputPath, recipe: recipe, progress: work.progress)
        if !dryRun {
            recipe.provenance = try provenance(of: recipe, input: input, windows, isPlanned: false)
        }

        let plan = try ConversionPlan(input: input, outputPath: paths.outputPath, recipe: recipe)
        try calibration.check(windows, of: plan)
        let details = [
            ("method", methodText), ("calibration", calibrationText(windows, plan.recipe)),
            ("importance", calibration.importanceText(plan)),
            ("budget", plan.allocation.map(PlanText.describe)),
        ]
        try StandardStream.output.write(
            PlanText(plan, details: details, listsTensors: dryRun).text)
        guard !dryRun else { return }
        let summary = try plan.execute(progress: work.progress)
        let result = SummaryText(summary, plan: plan, elapsed: .now - start)
        try StandardStream.output.write("\n" + result.text)
    }

    /// Whether the source's digest can wait: the output is one file of metadata and tensors in any order.
    private var statesSourceDigest: Bool {
        method == .rtn && !file.noProvenance && file.replay == nil
            && OutputFormat(path: paths.outputPath) == .gguf
            && !OutputFormat.isCompressed(paths.outputPath)
    }

    private func calibrationText(
        _ windows: CalibrationTextOptions.Windows?, _ recipe: Recipe
    ) -> String? {
        guard let windows, method.usesGPTQ, recipe.decidedRandomWindowCount > 0 else {
            return windows?.description
        }
        return "\(windows), and \(recipe.decidedRandomWindowCount) of random tokens"
    }

    /// What the options say, without what must be read from files.
    private func recipe() throws -> Recipe {
        let format = OutputFormat(path: paths.outputPath)
        var recipe = try grid.recipe(for: format, method: method.usesGPTQ ? .gptq : .rtn)
        recipe.scalesChannels = method.usesAWQ
        recipe.rotationSeed = rotation.seed
        recipe.dampingFraction = tuning.dampPercent ?? recipe.dampingFraction
        recipe.columnOrder = tuning.columnOrder
        if tuning.noImportance {
            recipe.gptq.weighsColumns = false
            recipe.tokenWeighting = .uniform
        }
        recipe.randomWindowCount = tuning.randomWindows
        recipe.compensatesDrift = tuning.driftCompensation ?? true
        recipe.types = try tensorTypes.types()
        return recipe
    }

    /// What the output says of its origin; the same as before where it is made again.
    ///
    /// - Parameters:
    ///   - recipe: what is asked for.
    ///   - input: the source.
    ///   - windows: of calibration text.
    ///   - isPlanned: whether only the size matters, so that nothing need be read for digests.
    /// - Returns: what to add to the output's metadata.
    /// - Throws: what reading files throws; `ModelError` for a replay with other inputs.
    private func provenance(
        of recipe: Recipe, input: Checkpoint, _ windows: CalibrationTextOptions.Windows?,
        isPlanned: Bool
    ) throws -> Metadata {
        guard !file.noProvenance else { return [:] }
        var options = RecipeOptions.current.recorded(with: recipe)
        if options.values.keys.allSatisfy({ !OptionTable.alternatives[0].contains($0) }) {
            options.values[OutputFormat(path: paths.outputPath) == .gguf ? "type" : "bits"] =
                .value(OutputFormat(path: paths.outputPath) == .gguf ? "q4_0" : "4")
        }
        options.values["method"] = .value(method.rawValue)
        if let windows {
            options.values["calibration"] = .value(windows.name)
            options.values["nsamples"] = .value(String(windows.windows.ids.count))
            options.values["seqlen"] = .value(String(windows.length))
        }
        if method.usesGPTQ {
            options.values["damp-percent"] = .value(recipe.dampingFraction.description)
            options.values["desc-act"] = .flag(tuning.columnOrder == .activation)
            options.values["drift-compensation"] = .flag(recipe.compensatesDrift)
            options.values["random-windows"] = .value(String(recipe.decidedRandomWindowCount))
        }
        func digest(_ body: () throws -> String) rethrows -> String {
            isPlanned ? Provenance.missingDigest : try body()
        }
        var provenance = Provenance(
            version: versionText, recipe: options.text, sourceName: paths.inputName,
            digests: [
                "source": recipe.sourceDigest != nil
                    ? Provenance.missingDigest : try digest(input.contentDigest)
            ])
        provenance.digests["calibration"] = recipe.calibrationDigest
        provenance.digests["imatrix"] = try calibration.imatrix.map { path in
            try digest { try MappedFile(path: path).withBytes(ContentDigest.sha256) }
        }
        if size.isGiven {
            provenance.digests["sensitivity"] = digest {
                ContentDigest.sha256(recipe.budget?.sensitivities.json.bytes() ?? [])
            }
        }
        guard let path = file.replay, !isPlanned else { return provenance.metadata }
        return try RecipeFileOptions.checked(provenance, against: path)
    }

    private var methodText: String {
        switch method {
        case .rtn where calibration.imatrix != nil: "rtn, errors weighted by an importance matrix"
        case .rtn where calibration.text.calibration != nil || size.isGiven:
            "rtn, errors weighted by calibration text"
        case .rtn: "rtn"
        case .awq: "awq, then rtn with errors weighted by calibration text"
        case .gptq, .awqGPTQ:
            (method.usesAWQ ? "awq, then " : "")
                + (tuning.columnOrder == .activation
                    ? "gptq, in activation order" : "gptq, from left to right")
        }
    }
}

extension QuantizationMethod: ExpressibleByArgument {}

/// How GPTQ goes about it.
struct MethodOptions: ParsableArguments {
    @Flag(
        inversion: .prefixedNo,
        help: "gptq: begin with the columns whose inputs are largest (the default).")
    var descAct: Bool?

    @Option(
        help: ArgumentHelp(
            "gptq: what is added to a Hessian's diagonal, as a fraction of its mean (default: 0.05).",
            valueName: "fraction"))
    var dampPercent: Float?

    @Flag(
        help: """
            gptq: count all columns alike when scales are chosen, and all tokens; for comparison.
            """)
    var noImportance = false

    @Flag(
        inversion: .prefixedNo,
        help: """
            gptq: let each layer make up for what the ones before it lost, measured against the model as \
            it was (the default).
            """)
    var driftCompensation: Bool?

    @Option(
        help: ArgumentHelp(
            """
            gptq: windows of random tokens beside those of the text, so that text of another kind \
            loses less (default: one for sixteen).
            """, valueName: "n"))
    var randomWindows: Int?

    var columnOrder: ColumnOrder { descAct ?? true ? .activation : .natural }

    func check(method: QuantizeCommand.Method) throws {
        let given = [
            dampPercent.map { _ in "--damp-percent" }, descAct.map { _ in "--desc-act" },
            noImportance ? "--no-importance" : nil,
            driftCompensation.map { _ in "--drift-compensation" },
            randomWindows.map { _ in "--random-windows" },
        ]
        if !method.usesGPTQ, let option = given.compactMap(\.self).first {
            throw ValidationError("'\(option)' is for '--method gptq'.")
        }
        if let randomWindows, randomWindows < 0 {
            throw ValidationError("'--random-windows' must not be negative.")
        }
        if let dampPercent, !(dampPercent > 0 && dampPercent < 1) {
            throw ValidationError("'--damp-percent' is a fraction between 0 and 1, such as 0.05.")
        }
    }
}
