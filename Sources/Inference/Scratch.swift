import Synchronization

/// Lends uninitialized memory for the length of a call.
///
/// Who borrows is handed what another gave back: memory fresh from the system costs a fault and a clearing
/// for each page, again and again.
func withScratch<Result>(
    _ count: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
) rethrows -> Result {
    let byteCount = count * MemoryLayout<Float>.stride
    let memory = ScratchPool.shared.take(byteCount)
    defer { ScratchPool.shared.giveBack(memory) }
    return try body(
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<byteCount])
            .bindMemory(to: Float.self))
}

/// Memory that nobody uses at the moment; as much as was ever in use at once.
private final class ScratchPool: Sendable {
    struct Memory: @unchecked Sendable {
        let bytes: UnsafeMutableRawBufferPointer
    }

    static let shared = ScratchPool()

    /// In ascending order of size.
    private let free = Mutex<[Memory]>([])

    /// The smallest that is large enough, or in place of the largest a new one.
    func take(_ byteCount: Int) -> Memory {
        let found: Memory? = free.withLock { free in
            if let place = free.firstIndex(where: { $0.bytes.count >= byteCount }) {
                return free.remove(at: place)
            }
            free.popLast()?.bytes.deallocate()
            return nil
        }
        return found
            ?? Memory(bytes: .allocate(byteCount: max(byteCount, 1), alignment: 64))
    }

    func giveBack(_ memory: Memory) {
        free.withLock { free in
            let place = free.firstIndex { $0.bytes.count >= memory.bytes.count } ?? free.endIndex
            free.insert(memory, at: place)
        }
    }
}
