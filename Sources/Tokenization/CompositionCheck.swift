/// Tells which places of a text NFC can change at all, for nearly all text is composed already.
///
/// A character is inert here if it stays as it is and never joins what stands before it. A text may be
/// cut before an inert character, and its parts composed one by one (Unicode Standard Annex 15,
/// "Stable Code Points"). Other characters may be taken for not inert; that costs time only.
struct CompositionCheck {
    /// The next range of `text` from `start` on that must be composed to know; nil where there is
    /// none. It starts with an inert character, if one stands before the others, and ends before one.
    static func nextRange(
        in text: UnsafeBufferPointer<UInt8>, from start: Int
    ) -> Range<Int>? {
        var position = start
        var previous = start
        while position < text.count {
            let byte = text[position]
            if byte < 0xCC {
                // Below U+0300 everything is inert.
                previous = position
                position += byte < 0x80 ? 1 : 2
                continue
            }
            let (value, length) = scalar(text, position)
            guard !isInert(value) else {
                previous = position
                position += length
                continue
            }
            return min(previous, position)..<end(in: text, from: position + length)
        }
        return nil
    }

    /// Composing has a price by the piece: pieces that are close are one.
    private static let longestInertRun = 16

    /// Where the inert run starts that is long enough, behind the characters that are not inert.
    private static func end(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var position = start
        var end = start
        var inertCount = 0
        while position < text.count, inertCount < longestInertRun {
            let (value, length) = scalar(text, position)
            position += length
            inertCount += 1
            if !isInert(value) {
                inertCount = 0
                end = position
            }
        }
        return end
    }

    /// - Precondition: a character starts there.
    private static func scalar(
        _ text: UnsafeBufferPointer<UInt8>, _ place: Int
    ) -> (value: UInt32, length: Int) {
        func bits(_ offset: Int) -> UInt32 { UInt32(text[place + offset] & 0x3F) }
        let first = UInt32(text[place])
        switch first {
        case ..<0x80: return (first, 1)
        case ..<0xE0: return ((first & 0x1F) << 6 | bits(1), 2)
        case ..<0xF0: return ((first & 0x0F) << 12 | bits(1) << 6 | bits(2), 3)
        default: return ((first & 0x07) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3), 4)
        }
    }

    private static func isInert(_ value: UInt32) -> Bool {
        switch value {
        case ..<0x300: true
        case 0x300..<0x3400: table[Int(value - 0x300)]
        // Ideographs, Yi, Hangul syllables; emoji and other pictures.
        case 0x3400..<0xA48D, 0xAC00..<0xD7A4, 0x1F000..<0x1FC00, 0x20000..<0x2F800: true
        default: isInertByProperties(value)
        }
    }

    private static let table = (UInt32(0x300)..<0x3400).map(isInertByProperties)

    private static func isInertByProperties(_ value: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(value) else { return false }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .unassigned: return false
        default: break
        }
        switch value {
        // Vowels and final consonants of Hangul, and vowel signs of Kirat Rai, are letters that join.
        case 0x1160...0x11FF, 0xD7B0...0xD7FF, 0x16D40...0x16D7F: return false
        default: break
        }
        let bytes = Array(String(Character(scalar)).utf8)
        return bytes.withUnsafeBufferPointer(UnicodeNormalization.composed) == bytes
    }
}
