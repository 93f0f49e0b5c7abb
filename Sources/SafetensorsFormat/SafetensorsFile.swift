import ByteIO
import TensorIR

/// A safetensors file, mapped and checked. Once it is open, no read of a tensor can fail.
///
///     offset  size  field
///          0     8  header size N: unsigned, little-endian
///          8     N  header: a JSON object, padded with spaces
///      8 + N        tensor data, without gaps, to the end of the file
///
/// Specified in Formats/Safetensors/SPECIFICATION.md.
public struct SafetensorsFile: Sendable {
    /// The largest header that the reference implementation accepts, in bytes.
    public static let maximumHeaderByteCount = 100_000_000

    public let file: MappedFile
    /// The header's `__metadata__`, in its order; every value is a string.
    public let metadata: Metadata
    /// In the order of their bytes in the file.
    public let tensors: [MappedTensor]

    /// Opens a file and checks everything that its header claims.
    /// - Throws: `SystemError` when the file cannot be mapped, `FormatError` when it is not what it
    ///   claims to be.
    public init(path: String) throws {
        let file = try MappedFile(path: path)
        do throws(FormatError) {
            let header = try SafetensorsHeader(file.bytes)
            self.file = file
            metadata = header.metadata
            tensors = header.places.map { MappedTensor($0.descriptor, in: file, at: $0.offset) }
        } catch {
            throw error.inFile(path)
        }
    }

    /// Whether a file that starts with `bytes` could be safetensors: a plausible header size, then `{`.
    ///
    /// The format has no magic number. Nine bytes are enough to tell it from GGUF, zip and pickle files.
    public static func looksLike(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 9 else { return false }
        let headerByteCount = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        return headerByteCount <= maximumHeaderByteCount && bytes[8] == UInt8(ascii: "{")
    }
}
