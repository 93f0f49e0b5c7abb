/// Why a file could not be read as the format it claims to be.
///
/// A `FormatError` is the file's fault, never the caller's: programmer errors trap instead.
/// Tests compare `code`; people read `description`.
public struct FormatError: Error, Sendable {
    /// What kind of fault it is.
    public enum Code: String, Sendable, Hashable {
        /// The bytes end before what they announce.
        case truncated
        /// Two statements of the file contradict each other, or one contradicts the specification.
        case inconsistent
        /// A claim exceeds a limit of the format or what the file could hold.
        case limitExceeded
        /// The file says which version or feature it uses, and it is one that is not supported.
        case unsupportedVersion
        /// A name that must be unique stands twice.
        case duplicateName
        /// An offset or an alignment is not what the format demands.
        case misaligned
        /// Text that does not follow its grammar: JSON, UTF-8, numbers.
        case malformed
        /// Something that the format demands is absent.
        case missing
    }

    public let code: Code
    /// What was being read, in the file's own words: `tensor 'blk.0.attn_q.weight'`.
    public let subject: String
    /// Where the reader stood, in bytes from the start of the file.
    public let offset: Int
    public let detail: String
    /// The file, once it is known.
    public var path: String?

    public init(
        _ code: Code, in subject: String, at offset: Int, _ detail: String, path: String? = nil
    ) {
        self.code = code
        self.subject = subject
        self.offset = offset
        self.detail = detail
        self.path = path
    }

    /// The same error with the file named, unless one is named already.
    public func inFile(_ path: String) -> FormatError {
        var error = self
        error.path = error.path ?? path
        return error
    }
}

extension FormatError: CustomStringConvertible {
    public var description: String {
        let place = path.map { "\($0.escapedForDisplay): " } ?? ""
        return "\(place)\(subject): \(detail) (byte \(offset))"
    }
}
