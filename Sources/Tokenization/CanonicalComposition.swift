// The standard library normalizes strings to compare them, but keeps the function to itself; on
// Apple systems, where the interface of the library does not even name it, Foundation has the same.
#if canImport(Darwin)
import Foundation
#else
@_spi(_Unicode) import Swift
#endif

/// Unicode's normalization form C (Unicode Standard Annex 15).
enum CanonicalComposition {
    /// Marks in a row that are left to the library to sort. It sorts by insertion, which a text of
    /// nothing but marks would make quadratic; text in any language has a handful.
    private static let longestUnsortedRun = 32

    /// The composed text, or nil where it is composed already as far as a glance can tell.
    ///
    /// Nothing below U+0300 composes with what stands before it or decomposes to something else.
    static func composed(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        // U+0300 is CC 80: every character from there on has a first byte of at least CC.
        guard text.contains(where: { $0 >= 0xCC }) else { return nil }
        let string = sortingLongRuns(String(decoding: text, as: UTF8.self))
        #if canImport(Darwin)
        return Array(string.precomposedStringWithCanonicalMapping.utf8)
        #else
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for scalar in string._nfc { UTF8.encode(scalar)?.forEach { result.append($0) } }
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
