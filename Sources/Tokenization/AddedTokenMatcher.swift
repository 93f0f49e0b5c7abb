/// Finds added tokens in text: the leftmost, and of those that start there the longest.
struct AddedTokenMatcher: Sendable {
    /// A piece of a text: an added token, or text between them.
    enum Piece {
        case token(Int32)
        case text(Range<Int>)
    }

    /// The places of the contents in `tokens`.
    private var contents = ByteTrie()
    private var startsWith = [Bool](repeating: false, count: 256)
    private var tokens: [AddedToken] = []

    var isEmpty: Bool { tokens.isEmpty }

    /// Adds a token that is looked for as `content`.
    mutating func insert(_ token: AddedToken, as content: [UInt8]) {
        guard let first = content.first else { return }
        startsWith[Int(first)] = true
        if contents.value(of: content) == nil {
            contents.insert(content, Int32(clamping: tokens.count))
        }
        tokens.append(token)
    }

    /// Cuts a text into added tokens and the rest.
    ///
    /// As the `tokenizers` library does it, a match that does not count (a part of a word, or
    /// special where special tokens are not wanted) hides whatever else might match inside it.
    func pieces(of text: UnsafeBufferPointer<UInt8>, parseSpecial: Bool) -> [Piece] {
        var pieces: [Piece] = []
        var textStart = 0
        var position = 0
        while position < text.count {
            position = nextStart(in: text, from: position)
            guard position < text.count else { break }
            guard let match = longestMatch(in: text, at: position) else {
                position += 1
                continue
            }
            let token = tokens[match.token]
            var range = position..<match.end
            position = match.end
            if token.isSpecial, !parseSpecial { continue }
            if token.isSingleWord,
                WordBoundary.endsInWord(text, range.lowerBound)
                    || WordBoundary.startsWithWord(text, range.upperBound)
            {
                continue
            }
            if token.stripsLeft {
                let start = max(
                    WordBoundary.startOfSpace(text, before: range.lowerBound), textStart)
                range = min(start, range.lowerBound)..<range.upperBound
            }
            if token.stripsRight {
                range = range.lowerBound..<WordBoundary.endOfSpace(text, after: range.upperBound)
            }
            if textStart < range.lowerBound { pieces.append(.text(textStart..<range.lowerBound)) }
            pieces.append(.token(token.id))
            textStart = range.upperBound
        }
        if textStart < text.count { pieces.append(.text(textStart..<text.count)) }
        return pieces
    }

    /// The next byte that a token starts with.
    private func nextStart(in text: UnsafeBufferPointer<UInt8>, from place: Int) -> Int {
        startsWith.withUnsafeBufferPointer { startsWith in
            var place = place
            while place < text.count, !startsWith[Int(text[place])] { place += 1 }
            return place
        }
    }

    private func longestMatch(
        in text: UnsafeBufferPointer<UInt8>, at start: Int
    ) -> (token: Int, end: Int)? {
        var longest: (token: Int, end: Int)?
        var node = contents.root
        var position = start
        while position < text.count, let next = contents.next(node, text[position]) {
            node = next
            position += 1
            if let token = contents.value(at: node) { longest = (Int(token), position) }
        }
        return longest
    }
}

/// What stands beside a place in a text.
private enum WordBoundary {
    static func endsInWord(_ text: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
        scalar(text, before: place).map(isWord) ?? false
    }

    static func startsWithWord(_ text: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
        scalar(text, at: place).map(isWord) ?? false
    }

    static func startOfSpace(_ text: UnsafeBufferPointer<UInt8>, before place: Int) -> Int {
        var place = place
        while let scalar = scalar(text, before: place), scalar.properties.isWhitespace {
            place -= UTF8.width(scalar)
        }
        return place
    }

    static func endOfSpace(_ text: UnsafeBufferPointer<UInt8>, after place: Int) -> Int {
        var place = place
        while let scalar = scalar(text, at: place), scalar.properties.isWhitespace {
            place += UTF8.width(scalar)
        }
        return place
    }

    /// `\w` of Unicode Technical Standard 18.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
            return true
        default: return false
        }
    }

    private static func scalar(
        _ text: UnsafeBufferPointer<UInt8>, at place: Int
    ) -> Unicode.Scalar? {
        guard place < text.count else { return nil }
        let end = min(place + 4, text.count)
        return String(decoding: text[place..<end], as: UTF8.self).unicodeScalars.first
    }

    private static func scalar(
        _ text: UnsafeBufferPointer<UInt8>, before place: Int
    ) -> Unicode.Scalar? {
        guard place > 0 else { return nil }
        var start = place - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return String(decoding: text[start..<place], as: UTF8.self).unicodeScalars.first
    }
}
