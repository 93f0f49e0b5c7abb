import OrderedCollections

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A string that names something in a file, and is compared by its bytes.
///
/// Swift's own strings compare by canonical equivalence, which takes the letter Ω (U+03A9) and the
/// unit Ω (U+2126) for one. File formats do not: a vocabulary holds both, and a file may have keys
/// that differ in nothing else.
public struct ExactString: Sendable {
    public let string: String

    public init(_ string: String) { self.string = string }

    public var utf8: String.UTF8View { string.utf8 }
    public var isEmpty: Bool { string.isEmpty }
    public var escapedForDisplay: String { string.escapedForDisplay }

    /// Lends the UTF-8 bytes to `body`.
    @inline(__always)
    fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        // Every native string has contiguous bytes; the copy is for those bridged from elsewhere.
        if let result = string.utf8.withContiguousStorageIfAvailable({
            body(UnsafeRawBufferPointer($0))
        }) {
            return result
        }
        return Array(string.utf8).withUnsafeBytes(body)
    }
}

extension ExactString: Hashable {
    public static func == (first: ExactString, second: ExactString) -> Bool {
        first.withBytes { first in
            second.withBytes { second in
                guard first.count == second.count else { return false }
                guard let left = first.baseAddress, let right = second.baseAddress else {
                    return true
                }
                return memcmp(left, right, first.count) == 0
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
    }
}

extension ExactString: Comparable {
    /// The order of the bytes, which is that of the code points.
    public static func < (first: ExactString, second: ExactString) -> Bool {
        first.utf8.lexicographicallyPrecedes(second.utf8)
    }
}

extension ExactString: ExpressibleByStringLiteral, CustomStringConvertible {
    public init(stringLiteral value: String) { self.init(value) }
    public var description: String { string }
}

extension OrderedDictionary where Key == ExactString {
    /// The value of the key that has exactly the bytes of `key`.
    public subscript(key: String) -> Value? {
        get { self[ExactString(key)] }
        _modify { yield &self[ExactString(key)] }
    }
}

extension Dictionary where Key == ExactString {
    /// The value of the key that has exactly the bytes of `key`.
    public subscript(key: String) -> Value? {
        get { self[ExactString(key)] }
        _modify { yield &self[ExactString(key)] }
    }
}
