// The standard library normalizes strings to compare them, but keeps the function to itself; on
// Apple systems, where the interface of the library does not even name it, Foundation has the same.
#if canImport(Darwin)
import Foundation
#else
@_spi(_Unicode) import Swift
#endif

/// Unicode's normalization forms (Unicode Standard Annex 15).
enum UnicodeNormalization {
    /// Marks in a row that are left to the library to sort. It sorts by insertion, which a text of
    /// nothing but marks would make quadratic; text in any language has a handful.
    private static let longestUnsortedRun = 32

    /// The text in a form, or nil where it has that form already as far as a glance can tell.
    static func normalized(
        _ text: UnsafeBufferPointer<UInt8>, to form: NormalizationForm
    ) -> [UInt8]? {
        // Nothing below U+00A0 (C2 A0) has a decomposition.
        guard form != .nfc else { return composedWhereNeeded(text) }
        guard text.contains(where: { $0 >= 0xC2 }) else { return nil }
        var string = String(decoding: text, as: UTF8.self)
        if form.isCompatible { string = CompatibilityDecomposition.decomposed(string) }
        return canonical(string, isComposed: form.isComposed)
    }

    /// Composes the parts of a text that may need it.
    private static func composedWhereNeeded(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var result: [UInt8]?
        var done = 0
        while let range = CompositionCheck.nextRange(in: text, from: done) {
            let part = UnsafeBufferPointer(rebasing: text[range])
            let composed = composed(part)
            if result != nil || !composed.elementsEqual(part) {
                if result == nil {
                    var copy: [UInt8] = []
                    copy.reserveCapacity(text.count)
                    copy.append(contentsOf: text[..<done])
                    result = copy
                }
                result?.append(contentsOf: text[done..<range.lowerBound])
                result?.append(contentsOf: composed)
            }
            done = range.upperBound
        }
        result?.append(contentsOf: text[done...])
        return result
    }

    /// NFC of a text, whatever it holds.
    static func composed(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        canonical(String(decoding: text, as: UTF8.self), isComposed: true)
    }

    private static func canonical(_ string: String, isComposed: Bool) -> [UInt8] {
        let string = sortingLongRuns(string)
        #if canImport(Darwin)
        let result =
            isComposed
            ? string.precomposedStringWithCanonicalMapping
            : string.decomposedStringWithCanonicalMapping
        return Array(result.utf8)
        #else
        var result: [UInt8] = []
        result.reserveCapacity(string.utf8.count)
        if isComposed {
            for scalar in string._nfc { result.append(scalar) }
        } else {
            for scalar in string._nfd { result.append(scalar) }
        }
        return result
        #endif
    }

    /// Puts long runs of combining marks in canonical order, which keeps the text equivalent.
    private static func sortingLongRuns(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var run: [Unicode.Scalar] = []
        var longest = 0
        for scalar in text.unicodeScalars {
            if scalar.value >= 0x300, combiningClass(scalar) != 0 {
                run.append(scalar)
                longest = max(longest, run.count)
            } else {
                run.removeAll(keepingCapacity: true)
            }
        }
        guard longest > longestUnsortedRun else { return text }
        run.removeAll()
        for scalar in text.unicodeScalars {
            if combiningClass(scalar) != 0 {
                run.append(scalar)
            } else {
                result.append(contentsOf: sorted(run))
                run.removeAll(keepingCapacity: true)
                result.append(scalar)
            }
        }
        result.append(contentsOf: sorted(run))
        return String(result)
    }

    /// Marks of one class keep their order, so the place is part of what is compared.
    private static func sorted(_ run: [Unicode.Scalar]) -> [Unicode.Scalar] {
        run.enumerated().sorted {
            (combiningClass($0.element), $0.offset) < (combiningClass($1.element), $1.offset)
        }.map(\.element)
    }

    private static func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
        scalar.properties.canonicalCombiningClass.rawValue
    }
}

/// The decompositions that lose a difference of form: `ﬁ` becomes `fi`, `²` becomes `2`.
enum CompatibilityDecomposition {
    /// Replaces every character that has such a decomposition; the canonical ones are left alone.
    static func decomposed(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar.value >= 0xA0, let decomposition = decompositions[scalar] {
                result.append(contentsOf: decomposition)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    private static let decompositions: [Unicode.Scalar: [Unicode.Scalar]] = {
        var result: [Unicode.Scalar: [Unicode.Scalar]] = [:]
        func scalar(_ hexadecimal: Substring) -> UInt32 { UInt32(hexadecimal, radix: 16) ?? 0 }
        for entry in table.split(separator: " ") {
            let sides = entry.split(separator: "=")
            let key = sides[0].split(separator: "+")
            let (first, values) = (scalar(key[0]), sides[1].split(separator: ".").map(scalar))
            let count = key.count > 1 ? UInt32(key[1]) ?? 1 : 1
            for place in 0..<count {
                // In a run there is one value, and it counts along.
                let decomposition = values.compactMap { Unicode.Scalar($0 + place) }
                guard let character = Unicode.Scalar(first + place), isKnown(character) else {
                    continue
                }
                result[character] = decomposition
            }
        }
        return result
    }()

    /// The `tokenizers` library has the tables of Unicode 12; a character of a later version is a
    /// character without decompositions there.
    private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return (age.major, age.minor) <= (12, 0)
    }
}

extension [UInt8] {
    /// Appends a character as UTF-8.
    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.value < 0x80 {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else {
            append(contentsOf: UTF8.encode(scalar) ?? .init())
        }
    }
}
