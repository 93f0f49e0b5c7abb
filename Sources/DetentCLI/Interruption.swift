import ByteIO
import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What happens on Control-C and on `kill`: the terminal is left whole, unfinished files are removed, and
/// the exit status is 130.
enum Interruption {
    /// Kept alive until the process ends. Unsafe for the compiler's sake: only `watch` comes here, once.
    nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []
    private static let cleanUp = Mutex<(@Sendable () -> Void)?>(nil)

    /// Begins to watch for both signals. A signal that the parent ignores, as `nohup` does, stays ignored.
    ///
    /// Comes before any other thread begins. A signal that a thread receives has its handler run on the
    /// thread's stack, and the products of oneDNN keep things where the handler's frame goes: memory would be
    /// overwritten anywhere. So all threads block both signals, and the source alone hears of them.
    static func watch() {
        let queue = DispatchQueue(label: "interruption")
        var watched = sigset_t()
        sigemptyset(&watched)
        for number in [SIGINT, SIGTERM] {
            // The source is told of the signal only where its own action does not end the process.
            let previous = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            guard previous != unsafeBitCast(SIG_IGN, to: Int.self) else { continue }
            sigaddset(&watched, number)
            pthread_sigmask(SIG_BLOCK, &watched, nil)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { stop() }
            source.resume()
            sources.append(source)
        }
    }

    /// Sets what has to be put in order before the process ends.
    static func onInterruption(_ body: @escaping @Sendable () -> Void) {
        cleanUp.withLock { $0 = body }
    }

    private static func stop() -> Never {
        cleanUp.withLock { $0 }?()
        OutputFile.removeUnfinished()
        // Threads are still at work: `exit` would take their memory away under them.
        _exit(ExitStatus.interrupted.rawValue)
    }
}
