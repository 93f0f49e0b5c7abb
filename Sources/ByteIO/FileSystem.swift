#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The few questions about paths that the package asks.
public enum FileSystem {
    public static func isFolder(_ path: String) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    public static func exists(_ path: String) -> Bool { status(path) != nil }

    /// The names in a folder, sorted, without `.` and `..`.
    public static func names(inFolder path: String) throws(SystemError) -> [String] {
        guard let folder = opendir(path) else { throw SystemError(cannot: "list", path) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Creates a folder and those above it, if they do not exist.
    public static func createFolder(_ path: String) throws(SystemError) {
        guard !isFolder(path) else { return }
        let parent = splitPath(path).folder
        if parent != path, !isFolder(parent) { try createFolder(parent) }
        guard mkdir(path, 0o755) == 0 || isFolder(path) else {
            throw SystemError(cannot: "create", path)
        }
    }

    /// Removes a file's name; whoever has the file open keeps its bytes.
    public static func remove(_ path: String) throws(SystemError) {
        guard unlink(path) == 0 else { throw SystemError(cannot: "remove", path) }
    }

    /// Removes a folder with nothing in it.
    public static func removeEmptyFolder(_ path: String) throws(SystemError) {
        guard rmdir(path) == 0 else { throw SystemError(cannot: "remove", path) }
    }

    /// Whether both paths lead to one file, through links of either kind.
    public static func isSameFile(_ first: String, _ second: String) -> Bool {
        guard let first = status(first), let second = status(second) else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// The size in bytes, or nil for what does not exist.
    public static func byteCount(_ path: String) -> Int? { status(path).map { Int($0.st_size) } }

    private static func status(_ path: String) -> stat? {
        var result = stat()
        return stat(path, &result) == 0 ? result : nil
    }
}
