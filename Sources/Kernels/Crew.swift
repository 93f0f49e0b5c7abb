import CKernels
import COneDNN
import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Threads that stay between pieces of work, so that sharing out one takes a microsecond and not ten.
///
/// Making a token takes two hundred pieces of work that last some ten microseconds each. A helper that has
/// none watches for the next for a moment and only then goes to sleep.
final class Crew: Sendable {
    static let shared = Crew()

    private let isTaken = Atomic(false)
    /// Belongs to whoever has taken the crew.
    nonisolated(unsafe) private var helpers: [Helper] = []

    /// Calls `work` on this thread and, at the same time, on up to `helperCount` others.
    ///
    /// A helper that has not begun when this thread is done is not waited for: `work` must be complete when
    /// any thread has come to its end and those that began with it have, too.
    ///
    /// - Returns: false where the crew is at work for somebody else, and nothing was done.
    func perform(helperCount: Int, _ work: () -> Void) -> Bool {
        guard !isTaken.exchange(true, ordering: .acquiring) else { return false }
        defer { isTaken.store(false, ordering: .releasing) }
        while helpers.count < helperCount, let helper = Helper.start() { helpers.append(helper) }
        let chosen = helpers.prefix(helperCount)
        withoutActuallyEscaping(work) { work in
            for helper in chosen { helper.offer(work) }
            work()
            for helper in chosen { helper.withdrawOrAwait() }
        }
        return true
    }
}

/// One thread, and what it is asked to do.
private final class Helper: Sendable {
    private enum State {
        static let watching = 0, asleep = 1, offered = 2, working = 3, awaited = 4
    }

    /// Looks at the state, with a pause after each, before a thread goes to sleep: some 50 µs.
    private static let patience = 3000

    private let state = Atomic(State.watching)
    private let wake = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    /// The owner's until it is offered, the helper's while it works.
    nonisolated(unsafe) private var work: (() -> Void)?

    /// A helper, or nil where the system has no more threads.
    static func start() -> Helper? {
        let helper = Helper()
        let context = Unmanaged.passRetained(helper)
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let status = pthread_create(
            &thread, nil,
            { (context: UnsafeMutableRawPointer?) in
                guard let context else { return nil }
                omp_set_num_threads(1)
                Unmanaged<Helper>.fromOpaque(context).takeRetainedValue().run()
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            return nil
        }
        return helper
    }

    func offer(_ work: @escaping () -> Void) {
        self.work = work
        let before = state.exchange(State.offered, ordering: .acquiringAndReleasing)
        if before == State.asleep { wake.signal() }
    }

    /// Takes an offer back that was not taken up, and otherwise waits until the work is done.
    func withdrawOrAwait() {
        defer { work = nil }
        if changed(from: State.offered, to: State.watching) { return }
        for _ in 0..<Helper.patience {
            if state.load(ordering: .acquiring) == State.watching { return }
            detent_pause()
        }
        if changed(from: State.working, to: State.awaited) { done.wait() }
    }

    private func run() -> Never {
        while true {
            var looks = 0
            while state.load(ordering: .relaxed) != State.offered {
                looks += 1
                detent_pause()
                guard looks >= Helper.patience else { continue }
                if changed(from: State.watching, to: State.asleep) { wake.wait() }
                looks = 0
            }
            guard changed(from: State.offered, to: State.working) else { continue }
            runWork()
            if state.exchange(State.watching, ordering: .acquiringAndReleasing) == State.awaited {
                done.signal()
            }
        }
    }

    /// A function of its own, so that nothing of the work is held once it has returned.
    @inline(never) private func runWork() { work?() }

    private func changed(from old: Int, to new: Int) -> Bool {
        state.compareExchange(
            expected: old, desired: new, ordering: .acquiringAndReleasing
        ).exchanged
    }
}
