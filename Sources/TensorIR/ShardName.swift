import ByteIO

/// The name of one file of several that hold a model: `model-00002-of-00005.gguf`.
///
/// Hugging Face's shards and llama.cpp's splits follow one pattern, counted from 1.
public struct ShardName: Sendable, Hashable {
    /// What stands before the numbers: `model`.
    public let stem: String
    /// 1 for the first file.
    public let number: Int
    public let count: Int
    /// With its dot: `.gguf`.
    public let fileExtension: String

    public init(stem: String, number: Int, count: Int, fileExtension: String) {
        self.stem = stem
        self.number = number
        self.count = count
        self.fileExtension = fileExtension
    }

    /// Takes a file's name apart, or returns nil when it does not follow the pattern.
    public init?(fileName: String) {
        guard let dot = fileName.lastIndex(of: ".") else { return nil }
        let parts = fileName[..<dot].split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[parts.count - 2] == "of",
            let count = ShardName.number(parts[parts.count - 1]),
            let number = ShardName.number(parts[parts.count - 3]), (1...count).contains(number)
        else { return nil }
        stem = parts.dropLast(3).joined(separator: "-")
        (self.number, self.count) = (number, count)
        fileExtension = String(fileName[dot...])
    }

    public var fileName: String {
        "\(stem)-\(ShardName.spell(number))-of-\(ShardName.spell(count))\(fileExtension)"
    }

    /// The same model's file of another number.
    public func with(number: Int) -> ShardName {
        ShardName(stem: stem, number: number, count: count, fileExtension: fileExtension)
    }

    /// Five digits or more, and not zero.
    private static func number(_ digits: Substring) -> Int? {
        guard digits.utf8.count >= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(digits), number > 0
        else { return nil }
        return number
    }

    private static func spell(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}

/// The path of a file beside `path`.
package func sibling(_ name: String, of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return name }
    return path[...slash] + name
}
