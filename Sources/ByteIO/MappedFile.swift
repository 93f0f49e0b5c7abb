#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file's bytes, mapped read-only for as long as this object lives.
///
/// The mapping is private and never written. A file that another program cuts short while it is
/// mapped ends the process with `SIGBUS`; outputs of this package are renamed into place, so none
/// of them is ever cut short under a reader.
public final class MappedFile: @unchecked Sendable {
    // Unchecked: the bytes are read-only and the pointer never changes after `init`.
    public let path: String
    /// Valid while this object lives; whoever keeps the pointer keeps the object.
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: `SystemError` naming the path when the file cannot be opened or mapped.
    public init(path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(cannot: "open", path) }
        defer { close(descriptor) }

        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError(cannot: "examine", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw SystemError(cannot: "read", path, code: isFolder ? EISDIR : EINVAL)
        }
        let size = Int(status.st_size)
        self.path = path
        // Mapping nothing is an error of `mmap`, and an empty file is a legal file.
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw SystemError(cannot: "map", path) }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
    }

    deinit {
        if let address = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
        }
    }

    /// Lends the bytes to `body`, and keeps the mapping until it returns.
    ///
    /// `bytes` alone does not: a file that nobody uses any more may be unmapped while they are read.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// Lets the system take back the memory of a range that has been read. Nothing is lost: whoever
    /// reads there again has it read from the file.
    public func release(_ range: Range<Int>) {
        guard let address = bytes.baseAddress else { return }
        // Whole pages only: those at the ends may belong to a neighbour that is being read.
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let start = (range.lowerBound + page - 1) / page * page
        let end = min(range.upperBound, bytes.count) / page * page
        guard start < end else { return }
        madvise(UnsafeMutableRawPointer(mutating: address + start), end - start, MADV_DONTNEED)
    }

    /// The whole file as an array, for small documents such as `config.json`.
    public static func contents(ofFile path: String) throws(SystemError) -> [UInt8] {
        let file = try MappedFile(path: path)
        return file.withBytes { [UInt8]($0) }
    }
}
