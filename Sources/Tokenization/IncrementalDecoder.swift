/// Turns token ids into text one at a time, as a model generates them.
///
///     var decoder = tokenizer.incrementalDecoder(skipSpecial: true)
///     for id in generated { print(decoder.append(id), terminator: "") }
///     print(decoder.finish())
///
/// A character may be spread over several tokens; it comes out with the last of them. All that came
/// out, put together, is `Tokenizer.decode` of all that went in, to the byte.
public struct IncrementalDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    /// The tokens that are decoded together, again with each new one.
    private var window: [Int32] = []
    /// Bytes of the window's text that came out.
    private var emittedCount = 0

    /// A window that is longer than this begins anew where nothing is held back.
    private static let longestWindow = 32

    init(_ tokenizer: Tokenizer, skipSpecial: Bool) {
        (self.tokenizer, self.skipSpecial) = (tokenizer, skipSpecial)
    }

    /// Takes the next token and returns the text that is complete with it, often none.
    public mutating func append(_ id: Int32) -> String {
        window += tokenizer.kept(CollectionOfOne(id), skipSpecial)
        let settled = tokenizer.decoder.settled(window)
        let bytes = tokenizer.decoder.decode(Array(window[..<settled]), repairing: true)
        let heldCount = UTF8.unfinishedByteCount(atEndOf: bytes)
        let text = emit(bytes, upTo: bytes.count - heldCount)
        if settled == window.count, heldCount == 0 { shorten() }
        return text
    }

    /// Returns what is left when no more tokens come: U+FFFD where a character never ended.
    public mutating func finish() -> String {
        let bytes = tokenizer.decoder.decode(window, repairing: true)
        defer { (window, emittedCount) = ([], 0) }
        return emit(bytes, upTo: bytes.count)
    }

    private mutating func emit(_ bytes: [UInt8], upTo end: Int) -> String {
        guard end > emittedCount else { return "" }
        defer { emittedCount = end }
        return String(decoding: bytes[emittedCount..<end], as: UTF8.self)
    }

    /// Leaves the last token in the window: what comes sees that something stands before it.
    private mutating func shorten() {
        guard window.count > IncrementalDecoder.longestWindow, let last = window.last,
            tokenizer.decoder.looksOneTokenBack
        else { return }
        window = [last]
        emittedCount = tokenizer.decoder.decode(window, repairing: true).count
    }
}

extension TokenDecoder {
    /// How many of the tokens have their text whatever follows: all but those at the end whose bytes
    /// are judged together.
    fileprivate func settled(_ ids: [Int32]) -> Int {
        guard steps.contains(.byteFallback) else { return ids.count }
        return (ids.lastIndex { ByteToken.byte(of: bytes(of: $0)) == nil } ?? -1) + 1
    }

    /// Whether a token's text depends on nothing before it but whether there is something.
    fileprivate var looksOneTokenBack: Bool {
        steps.allSatisfy { step in
            guard case .strip(_, let start, let stop) = step else { return true }
            return start <= 1 && stop == 0
        }
    }
}

extension Tokenizer {
    /// Starts to decode token ids as they come.
    ///
    /// With `skipSpecial` special tokens are left out.
    public func incrementalDecoder(skipSpecial: Bool = false) -> IncrementalDecoder {
        IncrementalDecoder(self, skipSpecial: skipSpecial)
    }
}

extension UTF8 {
    /// How many bytes at the end could still become a character with bytes to come, 0 to 3.
    ///
    /// Only those matter to what stands before them: a decoder that replaces faults starts anew at
    /// every other byte (The Unicode Standard, "U+FFFD Substitution of Maximal Subparts").
    static func unfinishedByteCount(atEndOf bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let start = bytes.count - count
            guard bytes[start] & 0xC0 != 0x80 else { continue }
            let needed =
                switch bytes[start] {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 1
                }
            guard count < needed else { return 0 }
            guard count > 1 else { return 1 }
            // Overlong forms, surrogates and values beyond U+10FFFF end with their second byte.
            let isPossible =
                switch (bytes[start], bytes[start + 1]) {
                case (0xE0, ..<0xA0), (0xED, 0xA0...), (0xF0, ..<0x90), (0xF4, 0x90...): false
                default: true
                }
            return isPossible ? count : 0
        }
        return 0
    }
}
