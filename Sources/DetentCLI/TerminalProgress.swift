import ProgressReporting
import Reporting
import Synchronization

/// Shows progress on standard error: on a terminal one line that is redrawn at most ten times a second,
/// otherwise one plain line when a phase has ended, and one now and then while it lasts.
final class TerminalProgress: ProgressSink {
    private struct Running {
        let phase: Phase
        let total: Int
        let start: ContinuousClock.Instant
        var done = 0
    }

    private struct State {
        /// The innermost phase is the last, and the one that is shown.
        var phases: [Running] = []
        var lastShown: ContinuousClock.Instant?
        var isLineDrawn = false
    }

    private let state = Mutex(State())
    private let isTerminal: Bool
    private let columns: Int
    private let clock = ContinuousClock()
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - isTerminal: whether a line can be redrawn.
    ///   - columns: longer lines would wrap, and a wrapped line cannot be redrawn.
    ///   - write: puts text on standard error.
    init(isTerminal: Bool, columns: Int, write: @escaping @Sendable (String) -> Void) {
        (self.isTerminal, self.columns, self.write) = (isTerminal, columns, write)
    }

    /// Progress on standard error, or none.
    static func make(quiet: Bool) -> any ProgressSink {
        guard !quiet else { return SilentProgress() }
        let stream = StandardStream.error
        let progress = TerminalProgress(isTerminal: stream.isTerminal, columns: stream.columns) {
            text in
            // Nobody may be reading; that is no reason to stop working.
            _ = Result { try stream.write(text) }
        }
        Interruption.onInterruption { progress.clear() }
        return progress
    }

    func begin(_ phase: Phase, total: Int) {
        state.withLock {
            $0.phases.append(Running(phase: phase, total: total, start: clock.now))
            $0.lastShown = isTerminal ? nil : clock.now
            show(&$0)
        }
    }

    func advance(_ phase: Phase, by units: Int) {
        state.withLock {
            guard let index = $0.phases.lastIndex(where: { $0.phase == phase }) else { return }
            $0.phases[index].done += units
            show(&$0)
        }
    }

    func end(_ phase: Phase) {
        state.withLock {
            guard let index = $0.phases.lastIndex(where: { $0.phase == phase }) else { return }
            let running = $0.phases.remove(at: index)
            clear(&$0)
            let elapsed = NumberFormatting.duration(clock.now - running.start)
            write("\(running.phase.name): \(count(running.done, running.phase)) in \(elapsed)\n")
            $0.lastShown = nil
        }
    }

    /// Takes the redrawn line away.
    func clear() { state.withLock { clear(&$0) } }

    private func clear(_ state: inout State) {
        if state.isLineDrawn { write("\r\u{1B}[K") }
        state.isLineDrawn = false
    }

    private func show(_ state: inout State) {
        let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(30)
        let now = clock.now
        guard let running = state.phases.last else { return }
        // The line of a phase that is done is written when it ends.
        if !isTerminal, running.done >= running.total { return }
        if let lastShown = state.lastShown, now - lastShown < interval { return }
        state.lastShown = now
        let line = String(describe(running, at: now).prefix(columns - 1))
        write(isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n")
        state.isLineDrawn = isTerminal
    }

    /// `Evaluating  12 of 48 windows  25 %  3.1 windows/s  12 s left`
    private func describe(_ running: Running, at now: ContinuousClock.Instant) -> String {
        let (done, total, unit) = (running.done, running.total, running.phase.unit)
        guard total > 0 else { return "\(running.phase.name)  \(count(done, running.phase))" }
        var parts = [
            running.phase.name,
            unit == "bytes"
                ? "\(NumberFormatting.byteCount(done)) of \(NumberFormatting.byteCount(total))"
                : "\(done) of \(total) \(unit)",
            "\(min(100, done * 100 / total)) %",
        ]
        let seconds = (now - running.start) / .seconds(1)
        if done > 0, seconds > 0.5 {
            let rate = Double(done) / seconds
            parts.append(pace(rate, unit))
            let left = Duration.seconds(Double(max(0, total - done)) / rate)
            parts.append("\(NumberFormatting.duration(left)) left")
        }
        return parts.joined(separator: "  ")
    }

    /// `3.1 windows/s`, or `7.4 s each` for what takes longer than a second.
    private func pace(_ rate: Double, _ unit: String) -> String {
        if unit == "bytes" { return "\(NumberFormatting.byteCount(Int(rate)))/s" }
        return rate < 1
            ? "\(NumberFormatting.fixed(1 / rate, decimals: 1)) s each"
            : "\(NumberFormatting.fixed(rate, decimals: rate < 10 ? 1 : 0)) \(unit)/s"
    }

    private func count(_ done: Int, _ phase: Phase) -> String {
        phase.unit == "bytes"
            ? NumberFormatting.byteCount(done) : "\(NumberFormatting.grouped(done)) \(phase.unit)"
    }
}
