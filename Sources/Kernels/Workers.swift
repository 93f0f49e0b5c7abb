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
        withoutActuallyEscaping(body) { body in
            @Sendable func work() {
                omp_set_num_threads(1)
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
            let threadCount = min(threadCount, count)
            guard threadCount > 1 else { return work() }
            if !Crew.shared.perform(helperCount: threadCount - 1, work) {
                DispatchQueue.concurrentPerform(iterations: threadCount) { _ in work() }
            }
        }
        if let (_, error) = failure.withLock({ $0 }) { throw error }
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

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

enum ProcessorCount {
    /// Processors that the system has online.
    static var active: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }
}
