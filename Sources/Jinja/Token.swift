/// A word of a tag.
enum Token: Sendable, Hashable {
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    /// Operators and brackets, as written.
    case symbol(String)

    /// For messages.
    var text: String {
        switch self {
        case .name(let text), .symbol(let text): text
        case .string(let text): "'\(text)'"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        }
    }
}

/// A template cut into text and tags.
enum Piece: Sendable, Hashable {
    case text(String)
    /// `{{ … }}`
    case output([Token], line: Int)
    /// `{% … %}`
    case statement([Token], line: Int)
}
