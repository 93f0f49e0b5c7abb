import Synchronization

/// Mapped files that are read once, from front to back, by any number of threads.
///
/// Pages that have been read count as the process's memory until they are given back. Readers say how
/// much they are done with, and from time to time everything is given back at once: what another
/// thread still reads comes again from the system's cache.
public final class MappedFiles: Sendable {
    private let files: [MappedFile]
    private let pending = Atomic(0)
    /// Bytes of files that may stay in memory, beside what is being read.
    private static let limit = 32 << 20

    public init(_ files: [MappedFile]) { self.files = files }

    /// Notes that `byteCount` more bytes have been read and are not needed for now.
    public func consumed(_ byteCount: Int) {
        guard pending.wrappingAdd(byteCount, ordering: .relaxed).newValue >= Self.limit else {
            return
        }
        pending.store(0, ordering: .relaxed)
        for file in files { file.release(0..<file.bytes.count) }
    }
}
