import ArgumentParser
import ByteIO
import Conversion
import Inference
import TensorIR

/// What is known about the inputs of a model's matrices.
struct CalibrationOptions: ParsableArguments {
    @OptionGroup var text: CalibrationTextOptions

    @Option(
        help: ArgumentHelp(
            "rtn: weights for the columns: a file of 'detent imatrix' or llama-imatrix, GGUF or .dat.",
            valueName: "file"),
        completion: .file())
    var imatrix: String?

    @Flag(help: "Fail where a matrix would be rounded without statistics of its own.")
    var strict = false

    @Option(
        help: ArgumentHelp(
            "gptq, awq: precision of the products that the text takes: f32, or bf16, which is faster where the "
                + "processor has instructions for it.",
            valueName: "type"))
    var precision = Precision.f32

    @Option(
        help: ArgumentHelp(
            "gptq, awq: memory for what the text makes of each layer, such as 2GB; the rest lies in a temporary "
                + "file beside the output (default: no limit).",
            valueName: "size"))
    var maxMemory: ByteSize?

    func check(method: QuantizeCommand.Method) throws {
        if method.needsCalibration, imatrix != nil {
            throw ValidationError(
                "'--imatrix' is for '--method rtn'; \(method.rawValue) takes '--calibration'.")
        }
        if imatrix != nil, text.calibration != nil {
            throw ValidationError("'--imatrix' and '--calibration' exclude each other.")
        }
        if method == .rtn, text.calibration == nil, let name = text.given.first {
            throw ValidationError("'\(name)' needs calibration text; add '--calibration <text>'.")
        }
    }

    /// The importance matrix, and how much of the model it is about.
    func importanceText(_ plan: ConversionPlan) -> String? {
        guard let imatrix, let matrix = plan.recipe.importance,
            let coverage = plan.importanceCoverage
        else { return nil }
        let unused =
            coverage.unusedCount > 0 ? ", \(coverage.unusedCount) entries without a tensor" : ""
        return "\(imatrix.escapedForDisplay), \(matrix.windowCount) windows of "
            + "\(matrix.windowSize) tokens, for \(coverage.coveredCount) of "
            + "\(coverage.tensorCount) tensors\(unused)"
    }

    /// The windows to work with, or nil where none are needed.
    func windows(
        for input: Checkpoint, isNeeded: Bool
    ) throws -> CalibrationTextOptions.Windows? {
        guard text.calibration != nil || isNeeded else { return nil }
        return try text.windows(
            for: input, defaultCount: CalibrationTextOptions.defaultCount)
    }

    /// Refuses windows that are longer than what the model was trained for.
    func check(_ windows: CalibrationTextOptions.Windows?, of plan: ConversionPlan) throws {
        guard let model = plan.model else { return }
        try windows?.check(model)
    }
}
