import ByteIO

/// Where the tests find their material.
public enum Repository {
    /// The folder that holds `Package.swift`.
    public static let root: String = {
        var path = splitPath(#filePath).folder
        while !FileSystem.exists("\(path)/Package.swift") { path = splitPath(path).folder }
        return path
    }()

    /// The material beside the checkout, or nil where there is none: tests that need it are then skipped.
    public static let shared: String? = {
        let path = "\(splitPath(root).folder)/shared"
        return FileSystem.isFolder(path) ? path : nil
    }()

    public static let hasShared = shared != nil

    /// A path below the shared material; only for tests that are skipped without it.
    public static func shared(_ path: String) -> String { "\(shared ?? "absent")/\(path)" }
}

/// The reason that such tests give.
public let needsShared = "needs the material beside the checkout"
