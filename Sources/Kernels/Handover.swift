import Dispatch
import Synchronization

/// Something that one thread makes and another waits for.
package final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isDecided = DispatchSemaphore(value: 0)

    package init() {}

    package func offer(_ value: Value) {
        self.value.withLock { $0 = value }
        isDecided.signal()
    }

    /// Says that there will be nothing more to wait for.
    package func close() { isDecided.signal() }

    /// What was offered, once it is; nil where the handover was closed before. To be called once.
    package func take() -> Value? {
        isDecided.wait()
        return value.withLock { value in
            defer { value = nil }
            return value
        }
    }
}
