import ByteIO

/// Where a frame of a known content lies: what the header says of the directory, and the footer of the
/// index.
struct FrameClaim {
    /// Bytes from the start of the file.
    let offset: Int
    let frameByteCount: Int
    let byteCount: Int
    /// XXH64 of the content.
    let checksum: UInt64
}

/// The two skippable frames that begin and end a file.
///
///     header  size  field                        footer  size  field
///          0     4  magic of a skippable frame        0     4  magic of a skippable frame
///          4     4  32                                4     4  40
///          8     4  "DTZ", version                    8     8  offset of the index's frame
///         12     4  flags: 0                         16     8  size of that frame
///         16     8  size of the directory's frame    24     8  size of its content
///         24     8  size of its content              32     8  XXH64 of its content
///         32     8  XXH64 of its content             40     4  flags: 0
///                                                    44     4  "DTZ", version
enum Envelope {
    static func header(_ directory: FrameClaim) -> [UInt8] {
        var writer = ByteWriter()
        writer.integer(DTZ.skippableMagic)
        writer.integer(UInt32(DTZ.headerByteCount - 8))
        writer.bytes += DTZ.signature
        writer.integer(UInt32(0))
        writer.integer(UInt64(directory.frameByteCount))
        writer.integer(UInt64(directory.byteCount))
        writer.integer(directory.checksum)
        return writer.bytes
    }

    static func footer(_ index: FrameClaim) -> [UInt8] {
        var writer = ByteWriter()
        writer.integer(DTZ.skippableMagic)
        writer.integer(UInt32(DTZ.footerByteCount - 8))
        writer.integer(UInt64(index.offset))
        writer.integer(UInt64(index.frameByteCount))
        writer.integer(UInt64(index.byteCount))
        writer.integer(index.checksum)
        writer.integer(UInt32(0))
        writer.bytes += DTZ.signature
        return writer.bytes
    }

    /// Whether a file that starts with `bytes` says that it is DTZ, of whatever version.
    static func looksLike(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let none = FrameClaim(offset: 0, frameByteCount: 0, byteCount: 0, checksum: 0)
        return bytes.count >= 11 && bytes.prefix(11).elementsEqual(header(none).prefix(11))
    }

    /// Reads the header of a whole file.
    static func directory(of file: UnsafeRawBufferPointer) throws(FormatError) -> FrameClaim {
        var reader = ByteReader(file, reading: "header")
        try skippable(&reader, content: DTZ.headerByteCount - 8)
        try signature(&reader)
        try flags(&reader)
        reader.subject = "header: directory"
        return try claim(&reader, offset: DTZ.headerByteCount, in: file)
    }

    /// Reads the footer of a whole file.
    static func index(of file: UnsafeRawBufferPointer) throws(FormatError) -> FrameClaim {
        let start = file.count - DTZ.footerByteCount
        guard start >= DTZ.headerByteCount else {
            throw FormatError(
                .truncated, in: "footer", at: file.count,
                "needs \(DTZ.footerByteCount) bytes behind the header")
        }
        do throws(FormatError) {
            var reader = ByteReader(
                UnsafeRawBufferPointer(rebasing: file[start...]), reading: "footer")
            try skippable(&reader, content: DTZ.footerByteCount - 8)
            guard let offset = Int(exactly: try reader.integer(UInt64.self)) else {
                throw reader.failure(.limitExceeded, "the index's offset is too large")
            }
            let claim = try claim(
                &reader, offset: offset, in: UnsafeRawBufferPointer(rebasing: file[..<start]))
            try flags(&reader)
            try signature(&reader)
            // `claim` has proven that the sum is not beyond the footer.
            guard claim.offset + claim.frameByteCount == start else {
                throw reader.failure(
                    .inconsistent,
                    "the index does not end where the footer starts")
            }
            return claim
        } catch {
            throw FormatError(
                error.code, in: error.subject, at: start + error.offset,
                error.detail + "; the file may have been cut short")
        }
    }

    private static func claim(
        _ reader: inout ByteReader, offset: Int, in file: UnsafeRawBufferPointer
    ) throws(FormatError) -> FrameClaim {
        let frameByteCount = try reader.integer(UInt64.self)
        guard offset <= file.count, let size = Int(exactly: frameByteCount),
            size <= file.count - offset
        else {
            throw reader.failure(
                .truncated, "claims \(frameByteCount) bytes at \(offset) of \(file.count)")
        }
        let byteCount = try reader.integer(UInt64.self)
        guard byteCount <= DTZ.maximumSectionByteCount else {
            throw reader.failure(
                .limitExceeded,
                "claims \(byteCount) bytes, the limit is \(DTZ.maximumSectionByteCount)")
        }
        return FrameClaim(
            offset: offset, frameByteCount: size, byteCount: Int(byteCount),
            checksum: try reader.integer())
    }

    private static func skippable(
        _ reader: inout ByteReader, content: Int
    ) throws(FormatError) {
        guard try reader.integer(UInt32.self) == DTZ.skippableMagic,
            try reader.integer(UInt32.self) == UInt32(content)
        else { throw reader.failure(.malformed, "is not the skippable frame of a DTZ file") }
    }

    private static func signature(_ reader: inout ByteReader) throws(FormatError) {
        let signature = try reader.take(4)
        guard signature.prefix(3).elementsEqual(DTZ.signature.prefix(3)) else {
            throw reader.failure(.malformed, "does not say 'DTZ'")
        }
        guard signature[3] == DTZ.version else {
            throw reader.failure(
                .unsupportedVersion,
                "version \(signature[3]) is not supported; supported: \(DTZ.version)")
        }
    }

    private static func flags(_ reader: inout ByteReader) throws(FormatError) {
        let flags = try reader.integer(UInt32.self)
        guard flags == 0 else {
            throw reader.failure(.unsupportedVersion, "flags \(flags) are not known")
        }
    }
}
