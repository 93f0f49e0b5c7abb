import ArgumentParser
import ByteIO
import Conversion
import Reporting
import TensorIR
import Tokenization

/// What is known about the inputs of a model's matrices.
struct CalibrationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Text to run through the model: a file, or the name of a bundled corpus "
                + "(default for gptq: \(CorpusText.defaultCalibration)).",
            valueName: "text"),
        completion: .file())
    var calibration: String?

    @Option(
        help: ArgumentHelp(
            "Windows of calibration text to use at most (default: \(defaultCount)).",
            valueName: "n"))
    var nsamples: Int?

    @Option(
        help: ArgumentHelp("Tokens in a window (default: \(defaultLength)).", valueName: "n"))
    var seqlen: Int?

    @Option(
        help: ArgumentHelp(
            "Draw the windows at random, the same ones for the same number; otherwise they are the "
                + "text's first.",
            valueName: "n"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            "rtn: weights for the columns, as llama-imatrix writes them (GGUF).", valueName: "file"),
        completion: .file())
    var imatrix: String?

    static let defaultCount = 128
    static let defaultLength = 512

    func check(method: QuantizeCommand.Method) throws {
        if method == .gptq, imatrix != nil {
            throw ValidationError("'--imatrix' is for '--method rtn'; gptq takes '--calibration'.")
        }
        if imatrix != nil, calibration != nil {
            throw ValidationError("'--imatrix' and '--calibration' exclude each other.")
        }
        if method == .rtn, calibration == nil {
            for (name, isGiven) in [
                ("--nsamples", nsamples != nil), ("--seqlen", seqlen != nil),
                ("--seed", seed != nil),
            ] where isGiven {
                throw ValidationError(
                    "'\(name)' needs calibration text; add '--calibration <text>'.")
            }
        }
        if let nsamples, nsamples < 1 { throw ValidationError("'--nsamples' must be at least 1.") }
        if let seqlen, !(2...1 << 20).contains(seqlen) {
            throw ValidationError("'--seqlen' must be at least 2.")
        }
    }

    /// A text's windows, and the text's name.
    struct Windows: CustomStringConvertible {
        let corpus: String
        let length: Int
        let windows: CalibrationWindows

        var description: String {
            "\(corpus.escapedForDisplay), \(windows.ids.count) of \(windows.availableCount) windows of "
                + "\(length) tokens"
        }
    }

    /// The windows that the method works with, or nil where it needs none.
    func windows(for input: Checkpoint, method: QuantizeCommand.Method) throws -> Windows? {
        guard let name = calibration ?? (method == .gptq ? CorpusText.defaultCalibration : nil)
        else {
            return nil
        }
        let corpus = try CorpusText(name)
        let length = seqlen ?? CalibrationOptions.defaultLength
        let windows = try CalibrationWindows(
            text: corpus.bytes, tokenizer: Tokenizer(checkpoint: input), length: length,
            count: nsamples ?? CalibrationOptions.defaultCount, seed: seed)
        return Windows(corpus: corpus.name, length: length, windows: windows)
    }

    /// Refuses windows that are longer than what the model was trained for.
    func check(_ windows: Windows?, of plan: ConversionPlan) throws {
        guard let windows, let trained = plan.model?.description.contextLength,
            windows.length > trained
        else { return }
        throw UsageError(
            "windows of \(windows.length) tokens are longer than the model's context of \(trained)",
            hint: "add '--seqlen \(trained)'")
    }
}
