import ByteIO
import Kernels
import TensorIR
import Tokenization

/// Calibration text cut into windows of equal length.
public struct CalibrationWindows: Sendable {
    /// Token ids, window after window.
    public let ids: [[Int32]]
    /// Windows that the text would have given.
    public let availableCount: Int

    /// Cuts a text into windows that do not overlap and takes some of them.
    ///
    /// Where the tokenizer puts a BOS token in front of a text, it replaces the first token of each window,
    /// as in evaluation.
    ///
    /// - Parameters:
    ///   - text: UTF-8.
    ///   - tokenizer: the model's own.
    ///   - length: tokens per window.
    ///   - count: windows wanted; fewer where the text has fewer.
    ///   - seed: nil takes the first windows in order, a number draws them at random.
    /// - Throws: `ModelError` when the text is shorter than one window.
    public init(
        text: [UInt8], tokenizer: Tokenizer, length: Int, count: Int, seed: UInt64? = nil
    ) throws {
        precondition(length > 0 && count > 0)
        let ids = try text.withUnsafeBytes {
            try tokenizer.encode(utf8: $0, addSpecial: false, parseSpecial: false)
        }
        let available = ids.count / length
        guard available > 0 else {
            throw ModelError(
                "the calibration text has \(ids.count) tokens, one window takes \(length); "
                    + "use more text or '--seqlen'")
        }
        var starts = Array(0..<available)
        if let seed {
            var generator = SplitMix64(seed: seed)
            starts.shuffle(using: &generator)
        }
        availableCount = available
        self.ids = starts.prefix(count).map { window in
            var window = Array(ids[window * length..<(window + 1) * length])
            if tokenizer.addsBOS, let bos = tokenizer.bosToken { window[0] = bos }
            return window
        }
    }

    /// Windows of random tokens, each token of the vocabulary as likely; always the same ones.
    ///
    /// Directions that a text's activations never take are free to take up all errors, and text of another
    /// kind then takes them. Some windows of anything at all keep these in check.
    ///
    /// - Parameters:
    ///   - count: of windows.
    ///   - windows: a text's, not empty; these are as long, and open with the same token where those all do.
    ///   - vocabularySize: tokens of the model.
    /// - Returns: token ids, window after window.
    static func random(
        _ count: Int, like windows: [[Int32]], vocabularySize: Int
    ) -> [[Int32]] {
        let openings = Set(windows.map(\.first))
        let opening = windows.count > 1 && openings.count == 1 ? windows[0].first : nil
        var generator = SplitMix64(seed: 0)
        return (0..<count).map { _ in
            var window = windows[0].map { _ in
                Int32.random(in: 0..<Int32(vocabularySize), using: &generator)
            }
            if let opening { window[0] = opening }
            return window
        }
    }
}
