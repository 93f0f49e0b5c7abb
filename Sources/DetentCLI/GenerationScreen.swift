import ByteIO
import Generation
import Reporting
import Synchronization

/// Shows text as it is generated, and at the end how it came about; also when that is an interruption.
///
/// Text goes to standard output at once. On a terminal, control characters are spelled out, for a model
/// may write anything; elsewhere the text is left as it is.
final class GenerationScreen: Sendable {
    private struct State {
        var prompt: GenerationSummary?
        var start = ContinuousClock.now
        var tokenCount = 0
        var endsLine = true
        /// Set once, after which nothing is written any more.
        var isOver = false
    }

    private let state = Mutex(State())
    private let isStreaming: Bool
    private let isQuiet: Bool
    private let isTerminal = StandardStream.output.isTerminal

    init(isStreaming: Bool, isQuiet: Bool) {
        (self.isStreaming, self.isQuiet) = (isStreaming, isQuiet)
        Interruption.onInterruption { self.interrupt() }
    }

    func promptDone(_ summary: GenerationSummary) {
        state.withLock {
            $0.prompt = summary
            $0.start = .now
        }
    }

    /// Takes the text of the next token, which may be empty.
    func show(_ text: String) throws {
        try state.withLock {
            $0.tokenCount += 1
            try write(text, &$0)
        }
    }

    /// Takes the rest of the text, and ends its last line.
    func finish(_ text: String, _ summary: GenerationSummary) throws {
        try state.withLock {
            try write(text, &$0)
            try end(&$0, summary.lines)
        }
    }

    private func write(_ text: String, _ state: inout State) throws(SystemError) {
        guard isStreaming, !state.isOver, !text.isEmpty else { return }
        try StandardStream.output.write(isTerminal ? text.escapedForTerminal : text)
        state.endsLine = text.utf8.last == UInt8(ascii: "\n")
    }

    private func end(_ state: inout State, _ lines: [String]) throws(SystemError) {
        guard !state.isOver else { return }
        state.isOver = true
        if !state.endsLine { try StandardStream.output.write("\n") }
        guard !isQuiet else { return }
        try StandardStream.error.write(lines.map { "\($0)\n" }.joined())
    }

    /// Leaves the cursor at the start of a line and says how far it went; the process then ends.
    private func interrupt() {
        state.withLock { state in
            var lines = ["interrupted while reading the prompt"]
            if var summary = state.prompt {
                summary.tokenCount = state.tokenCount
                summary.duration = .now - state.start
                lines = summary.speedLines + ["interrupted"]
            }
            // A terminal shows the key as `^C`, and the cursor behind it.
            let isMidLine = state.endsLine && StandardStream.error.isTerminal
            // Nobody may be reading, and the process ends all the same.
            _ = Result { try end(&state, (isMidLine ? [""] : []) + lines) }
        }
    }
}

extension GenerationSummary {
    /// How fast it was, and why it ended.
    var lines: [String] {
        let end =
            switch stopReason {
            case .stopToken: "the model ended the text"
            case .tokenLimit: "stopped after --max-tokens"
            case .contextFull: "stopped at the end of the model's context"
            case .receiver: "stopped by --stop"
            }
        return speedLines + draftLines + [end]
    }

    var speedLines: [String] {
        [
            "prompt: \(GenerationSummary.speed(promptTokenCount, in: promptDuration))",
            "text:   \(GenerationSummary.speed(tokenCount, in: duration))",
        ]
    }

    private var draftLines: [String] {
        guard draftedCount > 0 else { return [] }
        let share = 100 * Double(acceptedCount) / Double(draftedCount)
        return [
            "draft:  \(acceptedCount) of \(draftedCount) tokens accepted "
                + "(\(NumberFormatting.fixed(share, decimals: 0)) %), \(stepCount) steps of the model"
        ]
    }

    /// `64 tokens in 1.6 s, 40.1 tokens/s`
    private static func speed(_ count: Int, in duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        let rate = seconds > 0 ? Double(count) / seconds : 0
        return "\(count) token\(count == 1 ? "" : "s") in \(NumberFormatting.duration(duration)), "
            + "\(NumberFormatting.fixed(rate, decimals: 1)) tokens/s"
    }
}
