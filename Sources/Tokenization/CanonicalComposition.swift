// The standard library normalizes strings to compare them, but keeps the function to itself; on
// Apple systems, where the interface of the library does not even name it, Foundation has the same.
#if canImport(Darwin)
    import Foundation
#else
    @_spi(_Unicode) import Swift
#endif

/// Unicode's normalization form C (Unicode Standard Annex 15).
enum CanonicalComposition {
    /// The composed text, or nil where it is composed already as far as a glance can tell.
    ///
    /// Nothing below U+0300 composes with what stands before it or decomposes to something else.
    static func composed(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        // U+0300 is CC 80: every character from there on has a first byte of at least CC.
        guard text.contains(where: { $0 >= 0xCC }) else { return nil }
        let string = String(decoding: text, as: UTF8.self)
        #if canImport(Darwin)
            return Array(string.precomposedStringWithCanonicalMapping.utf8)
        #else
            var result: [UInt8] = []
            result.reserveCapacity(text.count)
            for scalar in string._nfc { result.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
            return result
        #endif
    }
}
