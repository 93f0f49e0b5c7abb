import COneDNN
import Dispatch
import Synchronization

/// The threads that share a piece of work.
///
/// Work is cut into items by its own shape, never by the number of threads, and each item is computed
/// by one thread from start to end. That is what makes results the same for any thread count.
package struct Workers: Sendable {
    package let threadCount: Int
    /// Whether other threads are busy with other items, so that nothing is gained by cutting work small.
    package let isInsideOfItem: Bool

    /// - Parameter threadCount: at least 1; nil takes one per processor.
    package init(threadCount: Int? = nil) {
        self.init(max(1, threadCount ?? ProcessorCount.active), isInsideOfItem: false)
    }

    private init(_ threadCount: Int, isInsideOfItem: Bool) {
        (self.threadCount, self.isInsideOfItem) = (threadCount, isInsideOfItem)
    }

    /// Only the thread that calls, for work inside of a work item.
    package static let current = Workers(1, isInsideOfItem: true)

    /// Calls `body` for every number below `count`, each once, on up to `threadCount` threads.
    ///
    /// When items throw, the error of the lowest-numbered one is thrown after all threads have stopped;
    /// items not yet begun are skipped.
    package func forEach<Failure: Error>(
        _ count: Int, _ body: @Sendable (Int) throws(Failure) -> Void
    ) throws(Failure) {
        guard count > 0 else { return }
        let next = Atomic<Int>(0)
        let failure = Mutex<(item: Int, error: Failure)?>(nil)
        share(among: count) {
            while true {
                let item = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard item < count else { return }
                do throws(Failure) {
                    try body(item)
                } catch {
                    failure.withLock { first in
                        if first.map({ item < $0.item }) ?? true { first = (item, error) }
                    }
                    next.store(count, ordering: .relaxed)
                }
            }
        }
        if let (_, error) = failure.withLock({ $0 }) { throw error }
    }

    /// Calls `body` for every number below `count`, each once, in as many runs as there are threads.
    ///
    /// A thread goes through a run of its own in order and then helps with the others'. Memory that is read in the
    /// order of the numbers comes up to twice as fast as where threads take turns, for a processor fetches ahead
    /// of what is read in one piece.
    package func forEachInRuns(_ count: Int, _ body: @Sendable (Int) -> Void) {
        guard count > 0 else { return }
        let runs = Runs(count: count, runCount: min(threadCount, count))
        share(among: count) {
            let own = runs.begun.wrappingAdd(1, ordering: .relaxed).oldValue
            for offset in 0..<runs.runCount {
                let run = (own + offset) % runs.runCount
                while let item = runs.next(ofRun: run) { body(item) }
            }
        }
    }

    /// Calls `work` on as many threads as have something to do.
    private func share(among itemCount: Int, _ work: @Sendable () -> Void) {
        withoutActuallyEscaping(work) { work in
            @Sendable func alone() {
                omp_set_num_threads(1)
                work()
            }
            let threadCount = min(threadCount, itemCount)
            guard threadCount > 1 else { return alone() }
            if !Crew.shared.perform(helperCount: threadCount - 1, alone) {
                DispatchQueue.concurrentPerform(iterations: threadCount) { _ in alone() }
            }
        }
    }

    /// Calls `body`, and `aside` at the same time on a thread of its own; where one thread is all there is,
    /// after it.
    ///
    /// - Throws: what `body` throws, and otherwise what `aside` does; both have ended then.
    package func run<Result>(
        _ body: () throws -> Result, beside aside: @escaping @Sendable () throws -> Void
    ) throws -> Result {
        guard threadCount > 1 else {
            let result = try body()
            try aside()
            return result
        }
        let failure = Mutex<(any Error)?>(nil)
        let group = DispatchGroup()
        DispatchQueue.global().async(group: group) {
            do { try aside() } catch { failure.withLock { $0 = error } }
        }
        let result = Swift.Result { try body() }
        group.wait()
        if case .success = result, let error = failure.withLock({ $0 }) { throw error }
        return try result.get()
    }

    /// Calls `body` for each run of at most `length` numbers below `count`.
    package func forEachRange<Failure: Error>(
        of count: Int, length: Int, _ body: @Sendable (Range<Int>) throws(Failure) -> Void
    ) throws(Failure) {
        try forEach((count + length - 1) / length) { index throws(Failure) in
            try body(index * length..<min(count, (index + 1) * length))
        }
    }
}

extension Range<Int> {
    /// The numbers in runs of at most `length`.
    package func cut(by length: Int) -> [Range<Int>] {
        stride(from: lowerBound, to: upperBound, by: length).map {
            $0..<Swift.min($0 + length, upperBound)
        }
    }
}

/// The numbers below a count in runs of about one length, each with a place up to which it is taken.
private final class Runs: Sendable {
    /// Numbers from one that is counted to the next, so that each has a cache line of its own.
    private static let spacing = 16

    let count: Int
    let runCount: Int
    /// Threads that have begun.
    let begun = Atomic(0)
    nonisolated(unsafe) private let taken: UnsafeMutablePointer<Atomic<Int>>

    init(count: Int, runCount: Int) {
        (self.count, self.runCount) = (count, runCount)
        taken = .allocate(capacity: runCount * Runs.spacing)
        for place in 0..<runCount * Runs.spacing { (taken + place).initialize(to: Atomic(0)) }
    }

    deinit {
        taken.deinitialize(count: runCount * Runs.spacing)
        taken.deallocate()
    }

    func next(ofRun run: Int) -> Int? {
        let start = run * count / runCount
        let item = start + taken[run * Runs.spacing].wrappingAdd(1, ordering: .relaxed).oldValue
        return item < (run + 1) * count / runCount ? item : nil
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

enum ProcessorCount {
    /// Processors that the system has online.
    static var active: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }
}
