/// Why a template could not be read or rendered.
public struct JinjaError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// The template is not Jinja.
        case syntax
        /// Jinja, but a part of it that this package does not have.
        case unsupported
        /// Values of the wrong kind, or names that stand for nothing.
        case evaluation
        /// The template itself refuses, with `raise_exception`.
        case raised
        /// The template is deeper or makes more text than a chat needs.
        case limitExceeded
    }

    public let code: Code
    /// In the template, counted from 1; of the tag, where that spans several.
    public let line: Int
    public let detail: String

    init(_ code: Code, line: Int, _ detail: String) {
        (self.code, self.line, self.detail) = (code, line, detail)
    }

    public var description: String { "line \(line): \(detail)" }
}
