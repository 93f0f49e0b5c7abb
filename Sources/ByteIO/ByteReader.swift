/// Reads little-endian values from untrusted bytes, front to back, without ever trapping.
///
/// `take` is the only method that moves the cursor and the only one that checks bounds;
/// everything else is built on it.
public struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// What is being read, in the words that errors use. Set it as the reader moves on.
    public var subject: String
    public private(set) var offset = 0

    public init(_ bytes: UnsafeRawBufferPointer, reading subject: String) {
        (self.bytes, self.subject) = (bytes, subject)
    }

    public var remaining: Int { bytes.count - offset }

    public mutating func integer<T: FixedWidthInteger>(
        _ type: T.Type = T.self
    ) throws(FormatError) -> T {
        let field = try take(MemoryLayout<T>.size)
        return T(littleEndian: field.loadUnaligned(as: T.self))
    }

    /// Reads an element count and proves that so many elements can still follow.
    ///
    /// A 24-byte file may claim 2⁶⁰ tensors. Comparing with the bytes that remain, instead of
    /// with a fixed ceiling, keeps every later allocation proportional to the input's size.
    public mutating func count(ofElementsAtLeast size: Int) throws(FormatError) -> Int {
        let claimed = try integer(UInt64.self)
        guard let count = Int(exactly: claimed), count <= remaining / size else {
            throw failure(.limitExceeded, "claims \(claimed) elements, \(remaining) bytes remain")
        }
        return count
    }

    public mutating func take(_ length: Int) throws(FormatError) -> UnsafeRawBufferPointer {
        guard length >= 0, length <= remaining else {
            throw failure(.truncated, "needs \(length) bytes, \(remaining) remain")
        }
        defer { offset += length }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    }

    /// An error about what is being read, at the place where the reader stands.
    public func failure(_ code: FormatError.Code, _ detail: String) -> FormatError {
        FormatError(code, in: subject, at: offset, detail)
    }
}
