import ByteIO

/// The conformance vectors of one format: `Formats/<format>/Vectors`.
public struct Vectors: Sendable {
    /// One vector and what its `expected.json` says of it.
    public struct Vector: Sendable, CustomStringConvertible {
        public let name: String
        public let path: String
        public let expected: JSON
        public var description: String { name }
    }

    public let valid: [Vector]
    public let invalid: [Vector]

    /// - Throws: whatever keeps `expected.json` from being read.
    public init(format: String) throws {
        let folder = "\(Repository.root)/Formats/\(format)/Vectors"
        let path = "\(folder)/expected.json"
        let json = try JSON(
            parsing: MappedFile.contents(ofFile: path), subject: "\(format)/expected.json")
        func vectors(_ kind: String) -> [Vector] {
            (json[kind]?.object ?? [:]).map {
                Vector(name: $0.key.string, path: "\(folder)/\(kind)/\($0.key)", expected: $0.value)
            }
        }
        (valid, invalid) = (vectors("valid"), vectors("invalid"))
    }
}
