/// Normalizers that look at one character at a time.
///
/// The `tokenizers` library asks tables of several versions of Unicode; where a category decides, the
/// version is part of the rule, and characters that came later do not have the category yet.
enum CharacterChanges {
    private static func scalars(
        _ text: UnsafeBufferPointer<UInt8>
    ) -> String.UnicodeScalarView {
        String(decoding: text, as: UTF8.self).unicodeScalars
    }

    /// The text with every character replaced by what `change` appends.
    private static func changing(
        _ text: UnsafeBufferPointer<UInt8>, _ change: (Unicode.Scalar, inout [UInt8]) -> Void
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for scalar in scalars(text) { change(scalar, &result) }
        return result
    }

    static func nmt(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        changing(text) { scalar, result in
            switch scalar.value {
            case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: break
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF,
                0xFFFD:
                result.append(UInt8(ascii: " "))
            default: result.append(scalar)
            }
        }
    }

    static func lowercased(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        changing(text, appendLowercase)
    }

    private static func appendLowercase(_ scalar: Unicode.Scalar, to result: inout [UInt8]) {
        guard scalar.value >= 0x80 else {
            let byte = UInt8(truncatingIfNeeded: scalar.value)
            result.append(0x41...0x5A ~= byte ? byte | 0x20 : byte)
            return
        }
        result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
    }

    static func withoutMarks(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.contains(where: { $0 >= 0xCC }) else { return nil }
        return changing(text) { scalar, result in
            if !isMark(scalar) { result.append(scalar) }
        }
    }

    static func stripped(
        _ text: UnsafeBufferPointer<UInt8>, _ left: Bool, _ right: Bool
    ) -> [UInt8]? {
        var rest = scalars(text)[...]
        if left { rest = rest.drop(while: \.properties.isWhitespace) }
        if right {
            while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
        }
        let bytes = Array(String(rest).utf8)
        return bytes.count == text.count ? nil : bytes
    }

    /// The four changes one after the other, as the library does them.
    static func bert(
        _ text: UnsafeBufferPointer<UInt8>, _ options: BertNormalization
    ) -> [UInt8] {
        var result = Array(text)
        func change(_ body: (Unicode.Scalar, inout [UInt8]) -> Void) {
            result = result.withUnsafeBufferPointer { changing($0, body) }
        }
        if options.cleansText {
            change { scalar, result in
                if isRemoved(scalar) { return }
                result.append(scalar.properties.isWhitespace ? " " : scalar)
            }
        }
        if options.separatesIdeographs {
            change { scalar, result in
                guard isIdeograph(scalar) else { return result.append(scalar) }
                result.append(" ")
                result.append(scalar)
                result.append(" ")
            }
        }
        if options.stripsAccents ?? options.lowercases {
            result =
                result.withUnsafeBufferPointer { UnicodeNormalization.normalized($0, to: .nfd) }
                ?? result
            change { scalar, result in
                let isAccent =
                    scalar.properties.generalCategory == .nonspacingMark && isKnown(scalar, 8)
                if !isAccent { result.append(scalar) }
            }
        }
        if options.lowercases { change(appendLowercase) }
        return result
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x300 else { return false }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return isKnown(scalar, 9)
        default: return false
        }
    }

    /// What BERT's clean-up takes away; characters without an assignment stay.
    private static func isRemoved(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\t", "\n", "\r": return false
        case "\u{FFFD}": return true
        case "\u{20}"..."\u{7E}": return false
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .privateUse: return isKnown(scalar, 8)
        default: return false
        }
    }

    /// Whether Unicode had the character in a major version.
    private static func isKnown(_ scalar: Unicode.Scalar, _ version: Int) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return (age.major, age.minor) <= (version, 0)
    }

    /// The blocks that the library calls Chinese, the gap from 2B820 on among them.
    private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF,
            0x2A700...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }
}
