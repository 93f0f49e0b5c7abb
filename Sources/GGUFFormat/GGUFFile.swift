import ByteIO
import TensorIR

/// A GGUF file, mapped and checked. Once it is open, no read of a tensor can fail.
///
///     offset  size  field
///          0     4  magic: "GGUF"
///          4     4  version: 2 or 3, little-endian like all that follows
///          8     8  number of tensors
///         16     8  number of key-value pairs
///         24        key-value pairs, tensor entries, padding, tensor data
///
/// Specified in Formats/GGUF/SPECIFICATION.md.
public struct GGUFFile: Sendable {
    public let file: MappedFile
    public let version: UInt32
    /// In the file's order and types.
    public let metadata: Metadata
    /// What tensors are aligned to, in bytes.
    public let alignment: Int
    /// In the file's order, which is also that of their bytes.
    public let tensors: [MappedTensor]

    /// Opens a file and checks everything that it claims.
    /// - Throws: `SystemError` when the file cannot be mapped, `FormatError` when it is not what it
    ///   claims to be.
    public init(path: String) throws {
        let file = try MappedFile(path: path)
        do throws(FormatError) {
            let header = try GGUFHeader(file.bytes)
            self.file = file
            (version, metadata, alignment) = (header.version, header.metadata, header.alignment)
            tensors = header.places.map { MappedTensor($0.descriptor, in: file, at: $0.offset) }
        } catch {
            throw error.inFile(path)
        }
    }

    /// Whether a file that starts with `bytes` says that it is GGUF.
    public static func looksLike(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: GGUF.magic)
    }
}

/// All that stands before the data, after every claim in it has been proven.
package struct GGUFHeader {
    /// A tensor and where it starts, in bytes from the start of the file.
    package struct Place {
        package let descriptor: TensorDescriptor
        package let offset: Int
    }

    package let version: UInt32
    package let metadata: Metadata
    package let alignment: Int
    package let places: [Place]
    /// What stands before the padding and the data, in bytes.
    package let byteCount: Int

    /// Reads what stands before the data of a whole file.
    package init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes, reading: "magic")
        version = try GGUFHeader.version(&reader)
        reader.subject = "tensor count"
        let tensorCount = try reader.count(ofElementsAtLeast: GGUFTensorClaim.minimumByteCount)
        reader.subject = "key-value count"
        let pairCount = try reader.count(
            ofElementsAtLeast: GGUFMetadataReader.minimumPairByteCount)

        var metadataReader = GGUFMetadataReader(reader: reader)
        metadata = try metadataReader.pairs(pairCount)
        reader = metadataReader.reader
        alignment = try GGUFHeader.alignment(metadata, at: reader.offset)

        var claims: [GGUFTensorClaim] = []
        claims.reserveCapacity(tensorCount)
        var names: Set<ExactString> = []
        for number in 0..<tensorCount {
            let start = reader.offset
            let claim = try GGUFTensorClaim(&reader, number: number)
            guard names.insert(ExactString(claim.descriptor.name)).inserted else {
                throw FormatError(.duplicateName, in: reader.subject, at: start, "stands twice")
            }
            claims.append(claim)
        }
        byteCount = reader.offset
        places = try GGUFHeader.proven(
            claims, end: byteCount, fileByteCount: bytes.count, alignment: alignment)
    }

    private static func version(_ reader: inout ByteReader) throws(FormatError) -> UInt32 {
        guard try reader.take(GGUF.magic.count).elementsEqual(GGUF.magic) else {
            throw FormatError(.malformed, in: "magic", at: 0, "the file does not start with 'GGUF'")
        }
        reader.subject = "version"
        let version = try reader.integer(UInt32.self)
        guard GGUF.readableVersions.contains(version) else {
            let detail =
                GGUF.readableVersions.contains(version.byteSwapped)
                ? "the file is big-endian, which is not supported"
                : "version \(version) is not supported; supported: 2 and 3"
            throw FormatError(.unsupportedVersion, in: "version", at: 4, detail)
        }
        return version
    }

    private static func alignment(
        _ metadata: Metadata, at offset: Int
    ) throws(FormatError) -> Int {
        guard let value = metadata[GGUF.alignmentKey] else { return GGUF.defaultAlignment }
        guard let alignment = alignment(value) else {
            throw FormatError(
                .misaligned, in: "'\(GGUF.alignmentKey)'", at: offset,
                "must be a uint32 and a power of two")
        }
        return alignment
    }

    /// The alignment that a value of `general.alignment` states, or nil where it cannot be one.
    static func alignment(_ value: MetadataValue) -> Int? {
        guard case .uint32(let claimed) = value, claimed.nonzeroBitCount == 1 else { return nil }
        return Int(claimed)
    }

    /// Turns claims into places, so that no later read of a tensor can fail.
    ///
    /// `end` is where the tensor entries end, in bytes from the start of the file.
    private static func proven(
        _ claims: [GGUFTensorClaim], end: Int, fileByteCount: Int, alignment: Int
    ) throws(FormatError) -> [Place] {
        guard let dataOffset = GGUF.aligned(end, to: alignment) else {
            throw FormatError(.limitExceeded, in: "tensor data", at: end, "its offset overflows")
        }
        var places: [Place] = []
        places.reserveCapacity(claims.count)
        // Where the next tensor must start, from the start of the file. It may lie in the padding
        // behind the last byte of the file, so it is compared before anything is subtracted from it.
        var cursor = dataOffset
        for claim in claims {
            let descriptor = claim.descriptor
            let subject = "tensor '\(descriptor.name.escapedForDisplay)'"
            guard claim.offset == UInt64(cursor - dataOffset) else {
                throw FormatError(
                    claim.offset.isMultiple(of: UInt64(alignment)) ? .inconsistent : .misaligned,
                    in: subject, at: claim.offsetField,
                    "its data starts at \(claim.offset), expected \(cursor - dataOffset)")
            }
            let remaining = max(0, fileByteCount - cursor)
            guard descriptor.byteCount <= remaining else {
                throw FormatError(
                    .truncated, in: subject, at: cursor,
                    "needs \(descriptor.byteCount) bytes, \(remaining) remain")
            }
            // A tensor without bytes may stand behind the end; nothing is read there.
            places.append(Place(descriptor: descriptor, offset: min(cursor, fileByteCount)))
            guard let next = GGUF.aligned(cursor + descriptor.byteCount, to: alignment) else {
                throw FormatError(.limitExceeded, in: subject, at: cursor, "its end overflows")
            }
            cursor = next
        }
        // Padding at the very end is optional: some writers leave it out.
        guard fileByteCount <= cursor else {
            throw FormatError(
                .inconsistent, in: "tensor data", at: cursor,
                "\(fileByteCount - cursor) bytes at the end belong to no tensor")
        }
        return places
    }
}
