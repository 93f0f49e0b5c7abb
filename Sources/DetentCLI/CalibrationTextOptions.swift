import Architectures
import ArgumentParser
import ByteIO
import Conversion
import TensorIR
import Tokenization

/// Which text runs through a model, and how it is cut.
struct CalibrationTextOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Text to run through the model: a file, or the name of a bundled corpus "
                + "(where text is needed: \(CorpusText.defaultCalibration)).",
            valueName: "text"),
        completion: .file())
    var calibration: String?

    @Option(
        help: ArgumentHelp(
            "Windows of calibration text to use at most (quantize: \(defaultCount) by default; imatrix: all; report: 32).",
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

    static let defaultCount = 128
    static let defaultLength = 512

    /// The options that say how a text is cut, as far as they are given.
    var given: [String] {
        [
            ("--nsamples", nsamples != nil), ("--seqlen", seqlen != nil), ("--seed", seed != nil),
        ].filter(\.1).map(\.0)
    }

    func validate() throws {
        if let nsamples, nsamples < 1 { throw ValidationError("'--nsamples' must be at least 1.") }
        if let seqlen, !(2...1 << 20).contains(seqlen) {
            throw ValidationError("'--seqlen' must be at least 2.")
        }
    }

    /// A text's windows, and the text's name.
    struct Windows: CustomStringConvertible {
        let corpus: String
        /// The text's file without its folder, or the bundled corpus.
        let name: String
        let text: [UInt8]
        let length: Int
        let windows: CalibrationWindows

        var description: String {
            "\(corpus.escapedForDisplay), \(windows.ids.count) of \(windows.availableCount) windows of "
                + "\(length) tokens"
        }
    }

    /// The text in windows of the model's tokens.
    ///
    /// - Parameters:
    ///   - input: the model, whose tokenizer is used.
    ///   - defaultCount: the most windows to take where the options do not say.
    /// - Returns: the windows, and what the text is called.
    /// - Throws: what reading the text and the tokenizer throws; `ModelError` for too short a text.
    func windows(for input: Checkpoint, defaultCount: Int) throws -> Windows {
        let corpus = try CorpusText(calibration ?? CorpusText.defaultCalibration)
        let length = seqlen ?? CalibrationTextOptions.defaultLength
        let windows = try CalibrationWindows(
            text: corpus.bytes, tokenizer: Tokenizer(checkpoint: input), length: length,
            count: nsamples ?? defaultCount, seed: seed)
        return Windows(
            corpus: corpus.name, name: corpus.fileName, text: corpus.bytes, length: length,
            windows: windows)
    }
}

extension CalibrationTextOptions.Windows {
    /// Refuses windows that are longer than what the model was trained for.
    func check(_ model: LanguageModel) throws {
        let trained = model.description.contextLength
        guard length > trained else { return }
        throw UsageError(
            "windows of \(length) tokens are longer than the model's context of \(trained)",
            hint: "add '--seqlen \(trained)'")
    }
}
