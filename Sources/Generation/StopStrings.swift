/// Ends a text where one of several strings would come next.
///
/// Text that could be the beginning of one is held back until it is known to be none, so that what was
/// let through never has to be taken back.
public struct StopStrings: Sendable {
    private let strings: [[UInt8]]
    private var held: [UInt8] = []
    /// Whether one has come.
    public private(set) var isFound = false

    /// Empty strings are left out.
    public init(_ strings: [String]) {
        self.strings = strings.map { Array($0.utf8) }.filter { !$0.isEmpty }
    }

    /// Takes the next piece of text and returns what is known to stand before any stop string.
    public mutating func append(_ text: String) -> String {
        guard !isFound else { return "" }
        held += text.utf8
        // The first place at which a string stands, or could with more text.
        for place in held.indices {
            let rest = held[place...]
            if strings.contains(where: { rest.starts(with: $0) }) {
                isFound = true
                return release(place, keeping: false)
            }
            if strings.contains(where: { $0.starts(with: rest) }) { return release(place) }
        }
        return release(held.count)
    }

    /// Returns what was held back, when no more text comes.
    public mutating func finish() -> String { isFound ? "" : release(held.count) }

    private mutating func release(_ count: Int, keeping: Bool = true) -> String {
        let text = String(decoding: held[..<count], as: UTF8.self)
        if keeping { held.removeFirst(count) } else { held = [] }
        return text
    }
}
