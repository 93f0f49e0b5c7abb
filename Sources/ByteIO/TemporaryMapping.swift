#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Memory that stands for a file without a name: zeros at first, gone with this object or the process.
///
/// The system writes to the file what it has no room for in memory.
public final class TemporaryMapping: @unchecked Sendable {
    // Unchecked: the pointer never changes after `init`; who writes where is for the owner to divide.
    /// Valid while this object lives, aligned to a page.
    public let bytes: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - byteCount: at least 1.
    ///   - folder: on a file system with room for as many bytes.
    /// - Throws: `SystemError` naming the folder when it cannot hold the file.
    public init(byteCount: Int, folder: String) throws(SystemError) {
        precondition(byteCount > 0)
        let random = String(UInt64.random(in: .min ... .max), radix: 36)
        let path = "\(folder)/.\(random)\(OutputFile.partialSuffix)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(cannot: "write to", folder) }
        defer { close(descriptor) }
        unlink(path)
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
            throw SystemError(cannot: "write to", folder)
        }
        // Writing to a mapping that the disk has no room for would end the process.
        if let code = shortage(ofBytes: byteCount, descriptor) {
            throw SystemError(cannot: "write to", folder, code: code)
        }
        let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let address, address != MAP_FAILED else {
            throw SystemError(cannot: "map a file in", folder)
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }

    /// Takes all pages out of this process; they stay where the system keeps files. At any time: whoever
    /// reads or writes there has them back.
    public func release() { madvise(bytes.baseAddress, bytes.count, MADV_DONTNEED) }
}
