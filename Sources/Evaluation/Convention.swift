/// Which tokens of a text are scored, and with how much text before them.
///
/// Perplexities under different conventions cannot be compared: the less context a token has, the
/// higher its loss. So every figure carries the name of its convention.
public enum Convention: Sendable, Hashable {
    /// llama.cpp's: windows side by side, and of each the second half is scored, so that every token
    /// has at least half a window before it. What does not fill a window is left out.
    case halfWindow(context: Int)
    /// Hugging Face's: a window moves by `stride`, and each token is scored once, in the first window
    /// that reaches it. The last window may be shorter.
    case strided(context: Int, stride: Int)

    /// `half-window` or `strided`.
    public var name: String {
        switch self {
        case .halfWindow: "half-window"
        case .strided: "strided"
        }
    }

    /// Tokens in a window.
    public var context: Int {
        switch self {
        case .halfWindow(let context), .strided(let context, _): context
        }
    }

    /// Tokens from one window's start to the next one's.
    public var stride: Int {
        switch self {
        case .halfWindow(let context): context
        case .strided(_, let stride): stride
        }
    }

    /// Neighbouring windows whose tokens count as one block when intervals are computed (`SampleMean`).
    ///
    /// Windows that overlap see the same text: only those a whole context apart have nothing in common.
    public var windowsPerBlock: Int { (context + stride - 1) / stride }
}

extension Convention: CustomStringConvertible {
    /// As it stands beside a figure: `half-window of 512, as llama.cpp`.
    public var description: String {
        switch self {
        case .halfWindow(let context): "half-window of \(context), as llama.cpp"
        case .strided(let context, let stride):
            "strided by \(stride) in windows of \(context), as Hugging Face"
        }
    }
}

/// Some tokens of a text that go through a model together, and which of them count.
public struct EvaluationWindow: Sendable, Hashable {
    public let ids: [Int32]
    /// The positions whose logits are scored; each predicts the token after it.
    public let scored: Range<Int>
}

extension Convention {
    /// Cuts a text into windows.
    ///
    /// - Parameters:
    ///   - ids: the whole text, with the tokenizer's BOS in front where it adds one.
    ///   - beginningOfText: that BOS. It takes the place of the first token of every half-window, as in
    ///     llama.cpp; strided windows are left as they are.
    ///   - limit: windows to return at most; nil returns all.
    /// - Returns: at least one window, in the text's order.
    /// - Throws: `EvaluationError` for a text that does not fill one window.
    public func windows(
        of ids: [Int32], beginningOfText: Int32?, limit: Int? = nil
    ) throws(EvaluationError) -> [EvaluationWindow] {
        precondition(context >= 4 && stride >= 1 && stride <= context)
        guard ids.count >= context else {
            throw EvaluationError.textTooShort(tokenCount: ids.count, context: context)
        }
        let limit = limit ?? .max
        switch self {
        case .halfWindow:
            return (0..<min(ids.count / context, limit)).map { index in
                var window = Array(ids[index * context..<(index + 1) * context])
                if let beginningOfText { window[0] = beginningOfText }
                return EvaluationWindow(ids: window, scored: context / 2..<context - 1)
            }
        case .strided:
            var windows: [EvaluationWindow] = []
            var scoredEnd = 1  // nothing comes before the first token, so nothing predicts it
            for start in Swift.stride(from: 0, to: ids.count, by: stride) {
                let end = min(start + context, ids.count)
                guard windows.count < limit, scoredEnd < end else { break }
                windows.append(
                    EvaluationWindow(
                        ids: Array(ids[start..<end]),
                        scored: scoredEnd - 1 - start..<end - 1 - start))
                scoredEnd = end
            }
            return windows
        }
    }
}
