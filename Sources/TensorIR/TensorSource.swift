import ByteIO

/// A tensor whose rows can be read, in their encoding, without holding the whole.
public protocol TensorSource: Sendable {
    var descriptor: TensorDescriptor { get }

    /// Lends the bytes of `rows` to `body`. Threads may call this at the same time.
    ///
    /// The bytes are those of the encoding, row after row, and valid only inside `body`.
    func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result

    /// All rows where they lie in memory as they are, for as long as the source lives; nil where lending them
    /// takes work.
    var bytesInPlace: UnsafeRawBufferPointer? { get }
}

extension TensorSource {
    public var bytesInPlace: UnsafeRawBufferPointer? { nil }

    /// All rows as an array, for small tensors.
    public func bytes() throws -> [UInt8] {
        try withBytes(rows: 0..<descriptor.rows) { [UInt8]($0) }
    }
}

/// A tensor that is stored in pieces, each of which is decoded as a whole.
///
/// Whoever wants all of it takes piece after piece; rows would have some pieces decoded twice.
public protocol PiecewiseTensor: TensorSource {
    var pieceCount: Int { get }

    /// Lends the bytes of a piece to `body`, with their place in the tensor. Threads may call this at the
    /// same time.
    func withPiece<Result>(
        _ piece: Int, _ body: (UnsafeRawBufferPointer, _ offset: Int) throws -> Result
    ) throws -> Result
}

extension TensorSource {
    /// Lends bytes of the tensor that need not be whole rows.
    package func withBytes<Result>(
        _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let size = max(1, descriptor.rowByteCount)
        let rows = range.lowerBound / size..<(range.upperBound + size - 1) / size
        return try withBytes(rows: rows) { bytes in
            let start = range.lowerBound - rows.lowerBound * size
            return try body(UnsafeRawBufferPointer(rebasing: bytes[start..<start + range.count]))
        }
    }
}

/// A tensor inside a mapped file. Nothing is read before it is asked for.
public struct MappedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    public let file: MappedFile
    /// Where the tensor starts, in bytes from the start of the file.
    public let offset: Int

    /// - Precondition: the file holds all of the tensor's bytes; a reader proves it beforehand.
    public init(_ descriptor: TensorDescriptor, in file: MappedFile, at offset: Int) {
        precondition(offset >= 0 && offset <= file.bytes.count)
        precondition(descriptor.byteCount <= file.bytes.count - offset)
        self.descriptor = descriptor
        self.file = file
        self.offset = offset
    }

    public var bytesInPlace: UnsafeRawBufferPointer? {
        UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + descriptor.byteCount])
    }

    /// Tells the system that some of the tensor's bytes are not needed for now: they leave the process's memory
    /// and are read again when they are asked for.
    /// - Precondition: the tensor has the bytes.
    package func release(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= descriptor.byteCount)
        file.release(offset + range.lowerBound..<offset + range.upperBound)
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= descriptor.rows)
        let start = offset + rows.lowerBound * descriptor.rowByteCount
        let end = offset + rows.upperBound * descriptor.rowByteCount
        return try withExtendedLifetime(file) {
            try body(UnsafeRawBufferPointer(rebasing: file.bytes[start..<end]))
        }
    }
}

/// A tensor in memory.
public struct BufferedTensor: TensorSource {
    public let descriptor: TensorDescriptor
    public let storage: [UInt8]

    /// - Precondition: `storage` has exactly the descriptor's bytes.
    public init(_ descriptor: TensorDescriptor, bytes: [UInt8]) {
        precondition(bytes.count == descriptor.byteCount)
        self.descriptor = descriptor
        storage = bytes
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= descriptor.rows)
        let start = rows.lowerBound * descriptor.rowByteCount
        let end = rows.upperBound * descriptor.rowByteCount
        return try storage.withUnsafeBytes {
            try body(UnsafeRawBufferPointer(rebasing: $0[start..<end]))
        }
    }
}
