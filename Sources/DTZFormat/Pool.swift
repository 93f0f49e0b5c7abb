import Synchronization

/// Things that are dear to make and serve one thread at a time.
final class Pool<Element>: Sendable {
    private struct Box: @unchecked Sendable {
        // Unchecked: a thing is in the pool or with one thread, never both.
        var elements: [Element] = []
    }

    private let free = Mutex(Box())
    private let make: @Sendable () throws -> Element

    init(_ make: @escaping @Sendable () throws -> Element) { self.make = make }

    /// Lends a thing to `body`.
    func with<Result>(_ body: (Element) throws -> Result) throws -> Result {
        let element = try free.withLock { $0.elements.popLast() } ?? make()
        defer { free.withLock { $0.elements.append(element) } }
        return try body(element)
    }
}

/// Memory for one chunk or frame, not initialized.
final class Buffer: @unchecked Sendable {
    // Unchecked: filled by one thread before others see it.
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
    }

    deinit { bytes.deallocate() }
}

/// Memory that is used again, for one thread at a time: new memory costs as much as decoding a tenth of a
/// chunk.
final class ReusedMemory {
    private var buffer = Buffer(byteCount: 0)

    /// Memory for so many bytes, until this is called again. Where it is too small, it is replaced by memory
    /// half as large again.
    func callAsFunction(byteCount: Int) -> UnsafeMutableRawBufferPointer {
        if buffer.bytes.count < byteCount {
            buffer = Buffer(byteCount: max(byteCount, buffer.bytes.count * 3 / 2))
        }
        return UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<byteCount])
    }
}
