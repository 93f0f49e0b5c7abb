/// Turns token ids into text one at a time, as a model generates them.
///
///     var decoder = tokenizer.incrementalDecoder(skipSpecial: true)
///     for id in generated { print(decoder.append(id), terminator: "") }
///     print(decoder.finish())
///
/// A character may be spread over several tokens; it comes out with the last of them. All that came
/// out, put together, is `Tokenizer.decode` of all that went in, to the byte; except that of bytes that
/// never become characters, `decode` may give up whole runs where this keeps those that did.
public struct IncrementalDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    /// The last tokens that stand for text: what the next one looks like may depend on them.
    private var context: [Int32] = []
    /// The start of a character whose end has not come yet.
    private var held: [UInt8] = []

    /// Decoders look at a token and whether one stands before it. More than one, because white space
    /// that is stripped at the start must not be all that there is.
    private static let contextLength = 4

    init(_ tokenizer: Tokenizer, skipSpecial: Bool) {
        (self.tokenizer, self.skipSpecial) = (tokenizer, skipSpecial)
    }

    /// Takes the next token and returns the text that is complete with it, often none.
    public mutating func append(_ id: Int32) -> String {
        held += bytes(of: id)
        let end = held.count - UTF8.unfinishedByteCount(atEndOf: held)
        defer { held.removeFirst(end) }
        return String(decoding: held[..<end], as: UTF8.self)
    }

    /// What a token adds to those before it.
    private mutating func bytes(of id: Int32) -> [UInt8] {
        guard tokenizer.isText(id, skipSpecial: skipSpecial) else { return [] }
        let before = tokenizer.decodeBytes(context).count
        context.append(id)
        let all = tokenizer.decodeBytes(context)
        context = context.suffix(IncrementalDecoder.contextLength)
        return Array(all.dropFirst(before))
    }

    /// Returns what is left when no more tokens come: U+FFFD where a character never ended.
    public mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
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
