import Architectures
import ArgumentParser
import ByteIO
import Conversion
import ProgressReporting
import TensorIR

/// A size to fill as well as possible, instead of one type for all.
struct BudgetOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Choose the type of every tensor so that the whole file takes at most so many bits per weight and "
                + "as little as possible is lost.",
            valueName: "bits"))
    var targetBpw: Double?

    @Option(
        help: ArgumentHelp(
            "The same for a size of the whole file: 90MB, 1.2GiB.", valueName: "size"))
    var targetSize: ByteSize?

    @Option(
        help: ArgumentHelp(
            "Where the tensors' sensitivities are: read if the file is there, otherwise measured and written.",
            valueName: "file"),
        completion: .file())
    var sensitivity: String?

    @Option(
        help: ArgumentHelp(
            "The types to choose from, as far as they were measured: q4_0,q5_0,q8_0 (default: all).",
            valueName: "types"))
    var targetTypes: String?

    var isGiven: Bool { targetBpw != nil || targetSize != nil }

    func check(format: OutputFormat, grid: GridOptions, types: TensorTypeOptions) throws {
        guard isGiven else {
            if sensitivity != nil || targetTypes != nil {
                let option = sensitivity == nil ? "--target-types" : "--sensitivity"
                throw ValidationError("'\(option)' needs '--target-bpw' or '--target-size'.")
            }
            return
        }
        let name = targetBpw == nil ? "--target-size" : "--target-bpw"
        if targetBpw != nil, targetSize != nil {
            throw ValidationError(
                "'--target-bpw' and '--target-size' both name the size; use one of them.")
        }
        if let targetBpw, !(targetBpw > 0 && targetBpw <= 64) {
            throw ValidationError("'--target-bpw' must be a positive number of bits.")
        }
        guard format == .gguf else { throw ValidationError("'\(name)' is for a '.gguf' output.") }
        if grid.bits != nil || grid.type != nil || types.pure {
            throw ValidationError("'\(name)' chooses the types; name no other.")
        }
        _ = try encodings()
    }

    /// The budget, with sensitivities from the file or measured.
    ///
    /// Whatever is wrong with the plan is found before anything is measured.
    func budget(
        of input: Checkpoint, outputPath: String, recipe: Recipe, progress: any ProgressSink
    ) throws -> Budget? {
        let size: Budget.Size
        if let targetSize {
            size = .bytes(targetSize.byteCount)
        } else if let targetBpw {
            size = .bitsPerWeight(targetBpw)
        } else {
            return nil
        }
        if let path = sensitivity, FileSystem.exists(path) {
            return Budget(
                size: size, sensitivities: try SensitivityTable.read(path),
                encodings: try encodings())
        }
        let allowed = try encodings()
        let candidates = SensitivityTable.candidates.filter {
            allowed?.contains($0) ?? true
        }
        var planned = recipe
        planned.budget = Budget(
            size: size,
            sensitivities: try .unmeasured(LanguageModel(input), candidates: candidates))
        let plan = try ConversionPlan(input: input, outputPath: outputPath, recipe: planned)
        guard let model = plan.model else { return nil }
        let table = try SensitivityTable.measure(
            model, recipe: recipe, candidates: candidates, progress: progress)
        if let sensitivity {
            let file = try OutputFile(path: sensitivity)
            try file.write(table.json.bytes(indentation: 1), at: 0)
            try file.commit()
        }
        return Budget(size: size, sensitivities: table)
    }

    private func encodings() throws -> Set<Encoding>? {
        guard let targetTypes else { return nil }
        return Set(
            try targetTypes.split(separator: ",").map { name in
                guard let type = EncodingName(argument: String(name)) else {
                    throw ValidationError(
                        "'--target-types' names '\(name.description.escapedForDisplay)'; "
                            + EncodingName.list)
                }
                return type.encoding
            })
    }
}

extension SensitivityTable {
    fileprivate static func read(_ path: String) throws -> SensitivityTable {
        let bytes = try MappedFile.contents(ofFile: path)
        do {
            return try SensitivityTable(
                json: JSON(parsing: bytes, subject: "sensitivities"), subject: "sensitivities")
        } catch {
            throw error.inFile(path)
        }
    }
}
