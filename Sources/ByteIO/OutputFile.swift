import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file that appears under its name complete, or not at all.
///
/// Bytes go to a temporary file beside the target, which `commit` syncs and renames. Without a
/// `commit` the temporary file is removed; after a `kill -9` it may stay behind under its
/// temporary name (`.<name>.<random>.partial`), never under the target's.
public final class OutputFile: Sendable {
    public let path: String
    /// Where the bytes are until `commit`, for those who want to look at them before.
    public let temporaryPath: String
    /// How temporary names end; they begin with a dot.
    public static let partialSuffix = ".partial"
    private let descriptor: Int32
    private let isFinished = Mutex(false)
    /// File systems let one thread at a time write to a file, and the others burn time until it is their turn.
    private let writing = Mutex(())
    /// Something of what was loaded, so that loading has a purpose to the compiler.
    private let loaded = Atomic<UInt8>(0)
    /// Bytes written since the last sync began.
    private let pending = Atomic(0)
    private let isSyncing = Atomic(false)
    private let syncs = DispatchGroup()
    private static let pendingLimit = 64 << 20

    /// The temporary files of this process.
    private static let unfinished = Mutex<Set<String>>([])

    /// - Throws: `SystemError` when no file can be created beside `path`, or `path` is a folder.
    public init(path: String) throws(SystemError) {
        let (folder, name) = splitPath(path)
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw SystemError(cannot: "write", path, code: EISDIR)
        }
        let random = String(UInt32.random(in: .min ... .max), radix: 36)
        temporaryPath = "\(folder)/.\(name).\(random)\(OutputFile.partialSuffix)"
        self.path = path
        descriptor = open(temporaryPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemError(cannot: "create", path) }
        OutputFile.unfinished.withLock { _ = $0.insert(temporaryPath) }
    }

    deinit {
        isFinished.withLock { finished in
            guard !finished else { return }
            close(descriptor)
            unlink(temporaryPath)
            forget()
        }
    }

    /// Removes the temporary files of all outputs that are not complete, for a process that is about to
    /// end and will not come by the `deinit`s.
    public static func removeUnfinished() {
        unfinished.withLock { paths in
            for path in paths { unlink(path) }
            paths = []
        }
    }

    private func forget() {
        OutputFile.unfinished.withLock { _ = $0.remove(temporaryPath) }
    }

    /// Writes `bytes` at `offset`. Threads may write different places at the same time.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        load(bytes)
        try writing.withLock { _ throws(SystemError) in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
                if written < 0 {
                    guard errno == EINTR else { throw SystemError(cannot: "write", path) }
                    continue
                }
                done += written
            }
        }
        startSync(after: bytes.count)
    }

    /// Has bytes of a mapped file come to memory while another thread writes.
    private func load(_ bytes: UnsafeRawBufferPointer) {
        var sum: UInt8 = 0
        for place in stride(from: 0, to: bytes.count, by: 4096) { sum |= bytes[place] }
        loaded.store(sum, ordering: .relaxed)
    }

    /// Begins with what `commit` would otherwise wait for: the disk works while others compute.
    private func startSync(after byteCount: Int) {
        let pending = pending.wrappingAdd(byteCount, ordering: .relaxed).newValue
        guard pending >= Self.pendingLimit, !isSyncing.exchange(true, ordering: .relaxed) else {
            return
        }
        self.pending.store(0, ordering: .relaxed)
        DispatchQueue.global(qos: .utility).async(group: syncs) {
            // Only a head start: what goes wrong here, `commit` finds again.
            fsync(self.descriptor)
            self.isSyncing.store(false, ordering: .relaxed)
        }
    }

    /// Writes the elements of `bytes` at `offset`.
    public func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(SystemError) in try write(buffer, at: offset) }
        }
        try result.get()
    }

    /// Reserves `byteCount` bytes, so that a full disk is noticed before the work and not after.
    public func reserve(_ byteCount: Int) throws(SystemError) {
        guard byteCount > 0 else { return }
        if let code = shortage(ofBytes: byteCount, descriptor) {
            throw SystemError(cannot: "write", path, code: code)
        }
    }

    /// Syncs the bytes and gives the file its name.
    public func commit() throws(SystemError) {
        syncs.wait()
        guard fsync(descriptor) == 0 else { throw SystemError(cannot: "sync", path) }
        guard rename(temporaryPath, path) == 0 else { throw SystemError(cannot: "rename", path) }
        close(descriptor)
        isFinished.withLock { $0 = true }
        forget()
        // The rename lives in the folder: without this it could be lost with the power.
        let folder = open(splitPath(path).folder, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }
}

/// Reserves the first bytes of a file, or says why the disk has no room for them.
func shortage(ofBytes byteCount: Int, _ descriptor: Int32) -> Int32? {
    #if canImport(Glibc)
    let code = posix_fallocate(descriptor, 0, off_t(byteCount))
    // A file system without `fallocate` says so; only a lack of space is a reason to stop.
    return [ENOSPC, EFBIG, EDQUOT].contains(code) ? code : nil
    #else
    return nil
    #endif
}

/// A path's folder (`.` when it names none) and its last component.
public func splitPath(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    return (folder, String(path[path.index(after: slash)...]))
}
