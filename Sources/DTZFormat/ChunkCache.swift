import Synchronization

/// The chunks that were decoded last.
///
/// Rows that are read one after the other come from the same chunk, and threads that ask for one chunk
/// at the same time wait for the first of them to decode it.
final class ChunkCache: Sendable {
    struct Key: Hashable {
        let tensor: Int
        let chunk: Int
    }

    fileprivate final class Entry: Sendable {
        let buffer = Mutex<Buffer?>(nil)
        let byteCount: Int

        init(byteCount: Int) { self.byteCount = byteCount }
    }

    fileprivate struct State {
        var entries: [Key: Entry] = [:]
        /// The least recently used first.
        var order: [Key] = []
        var byteCount = 0
    }

    /// Bytes that are kept, at most, beside the chunk that was asked for last.
    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter keepsAll: whether nothing is ever forgotten, for those who will read all of it again
    ///   and again.
    init(keepsAll: Bool) { capacity = keepsAll ? .max : 1 << 25 }

    /// The bytes of a chunk, decoded by `fill` unless they are still there.
    func buffer(
        _ key: Key, byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> Buffer {
        let entry = state.withLock {
            $0.entry(key, byteCount: byteCount, capacity: capacity)
        }
        return try entry.buffer.withLock { buffer in
            if let buffer { return buffer }
            let new = Buffer(byteCount: byteCount)
            try fill(new.bytes)
            buffer = new
            return new
        }
    }
}

extension ChunkCache.State {
    fileprivate mutating func entry(
        _ key: ChunkCache.Key, byteCount: Int, capacity: Int
    ) -> ChunkCache.Entry {
        if let entry = entries[key] {
            // Order only matters to those who forget.
            if capacity < .max, order.last != key, let place = order.lastIndex(of: key) {
                order.remove(at: place)
                order.append(key)
            }
            return entry
        }
        while self.byteCount > capacity - byteCount, let oldest = order.first {
            order.removeFirst()
            self.byteCount -= entries.removeValue(forKey: oldest)?.byteCount ?? 0
        }
        let entry = ChunkCache.Entry(byteCount: byteCount)
        entries[key] = entry
        order.append(key)
        self.byteCount += byteCount
        return entry
    }
}
