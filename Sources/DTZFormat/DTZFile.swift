import ByteIO
import GGUFFormat
import OrderedCollections
import TensorIR

/// A DTZ file, mapped, with its directory and index read and checked; chunks are read as they are asked
/// for.
///
///     header      a skippable frame that says where the directory is
///     directory   a frame: names, encodings and shapes of tensors, sections, transforms
///     sections    a frame each: metadata, documents, what the original files were
///     chunks      a frame each: some bytes of a tensor, transformed
///     index       a frame: size and checksum of each chunk, digests
///     footer      a skippable frame that says where the index is
///
/// Specified in Formats/DTZ/SPECIFICATION.md.
public final class DTZFile: Sendable {
    public let file: MappedFile
    let directory: Directory
    /// Where the chunks of each tensor lie, in bytes from the start of the file; a damaged file may have
    /// lost the last of them.
    let chunkRanges: [[Range<Int>]]
    /// Nil where the index is lost, and with it all digests and checksums beyond those of the frames.
    let index: Index?
    /// The base model's tensors, by name, where chunks are deltas.
    let base: [ExactString: any TensorSource]
    let cache: ChunkCache
    private let sectionRanges: [Range<Int>]
    private let decompressors = Pool { try ZstdDecompressor() }
    /// For chunks that are read and let go.
    let pieces = Pool { ReusedMemory() }
    /// The file, whose pages are given back as they are read.
    private let pages: MappedFiles

    /// Finds the model that a delta was made from: what the file calls it, to its tensors.
    public typealias BaseFinder = (_ name: String) throws -> Checkpoint

    /// Opens a file and checks everything that its directory and index claim.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - isSalvaged: whether a file without a readable index is opened all the same, as far as its
    ///     chunks can be found one after the other.
    ///   - keepsDecoded: whether rows that have been read stay in memory, for a model that is run.
    ///   - findBase: called for a file of deltas.
    /// - Throws: `SystemError` when the file cannot be mapped, `FormatError` when it is not what it
    ///   claims to be, `ModelError` for a base that does not fit.
    public init(
        path: String, isSalvaged: Bool = false, keepsDecoded: Bool = false,
        findBase: BaseFinder? = nil
    ) throws {
        let file = try MappedFile(path: path)
        self.file = file
        pages = MappedFiles([file])
        cache = ChunkCache(keepsAll: keepsDecoded)
        do throws(FormatError) {
            let claim = try Envelope.directory(of: file.bytes)
            let bytes = try DTZFile.content(of: claim, named: "directory", in: file, decompressors)
            let directory = try bytes.withUnsafeBytes { bytes in
                Result { () throws(FormatError) in try Directory(bytes) }
            }.get()
            self.directory = directory
            let start = claim.offset + claim.frameByteCount
            var places = FramePlaces(start: start, end: file.bytes.count)
            sectionRanges = try directory.sections.map { section throws(FormatError) in
                try places.next(
                    section.frameByteCount, "section '\(section.name.escapedForDisplay)'")
            }
            do throws(FormatError) {
                let index = try DTZFile.index(for: directory, in: file, decompressors)
                var chunks = places
                chunkRanges = try chunks.chunks(of: directory, index.value, end: index.offset)
                self.index = index.value
            } catch {
                guard isSalvaged else { throw error }
                chunkRanges = places.scan(directory, in: file)
                index = nil
            }
        } catch {
            throw error.inFile(path)
        }
        guard let base = directory.base else {
            self.base = [:]
            return
        }
        guard let findBase else {
            throw ModelError(
                "'\(path.escapedForDisplay)' holds the difference from "
                    + "'\(base.name.escapedForDisplay)', which is not given")
        }
        self.base = Dictionary(
            try findBase(base.name).tensors.map { (ExactString($0.descriptor.name), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Whether a file that starts with `bytes` says that it is DTZ.
    public static func looksLike(_ bytes: UnsafeRawBufferPointer) -> Bool {
        Envelope.looksLike(bytes)
    }

    /// The file as a model, with all that came along.
    /// - Throws: `FormatError` for a section that is damaged.
    public func checkpoint() throws -> Checkpoint {
        var checkpoint = emptyCheckpoint
        do throws(FormatError) {
            for number in directory.sections.indices {
                try add(section: number, to: &checkpoint)
            }
            let placed = checkpoint.originals.flatMap(\.places).map(\.tensor)
            guard placed.isEmpty || placed.sorted() == Array(checkpoint.tensors.indices) else {
                throw FormatError(
                    .inconsistent, in: "original files", at: DTZ.headerByteCount,
                    "do not hold each tensor once")
            }
        } catch {
            throw error.inFile(file.path)
        }
        return checkpoint
    }

    /// The tensors alone.
    var emptyCheckpoint: Checkpoint {
        Checkpoint(
            path: file.path, dialect: directory.dialect,
            tensors: directory.tensors.indices.map { DTZTensor(number: $0, of: self) },
            files: [file.path], byteCount: file.bytes.count)
    }

    func add(section number: Int, to checkpoint: inout Checkpoint) throws(FormatError) {
        let (section, range) = (directory.sections[number], sectionRanges[number])
        let subject = "section '\(section.name.escapedForDisplay)'"
        let claim = FrameClaim(
            offset: range.lowerBound, frameByteCount: range.count, byteCount: section.byteCount,
            checksum: section.checksum)
        let bytes = try DTZFile.content(of: claim, named: subject, in: file, decompressors)
        try checkpoint.add(bytes, section, byteCounts: directory.tensors.map(\.byteCount))
    }

    /// The SHA-256 of all tensors that the index states; nil where it is lost.
    package var contentDigest: String? { index.map { ContentDigest.hexadecimal($0.contentDigest) } }

    /// What deltas are taken from, in the file's words.
    package var baseName: String? { directory.base?.name }

    /// Decodes a chunk.
    ///
    /// - Parameters:
    ///   - number: among the tensor's chunks.
    ///   - tensor: its number.
    ///   - target: receives the tensor's bytes; exactly those of the chunk.
    ///   - checksFrame: whether the frame's own checksum is held against its content too.
    /// - Throws: `FormatError` naming tensor and chunk.
    func decode(
        chunk number: Int, of tensor: Int, into target: UnsafeMutableRawBufferPointer,
        checksFrame: Bool = false
    ) throws {
        let descriptor = directory.tensors[tensor]
        let subject = "tensor '\(descriptor.name.escapedForDisplay)', chunk \(number)"
        guard let range = chunkRanges[tensor].dropFirst(number).first else {
            throw lost(chunk: number, of: tensor)
        }
        func failure(_ detail: String) -> FormatError {
            FormatError(.inconsistent, in: subject, at: range.lowerBound, detail, path: file.path)
        }
        let transform: Transform
        do {
            transform = try decompressors.with { decompressor in
                try file.withBytes { bytes in
                    try decode(
                        UnsafeRawBufferPointer(rebasing: bytes[range]), into: target, decompressor,
                        checksFrame: checksFrame || index == nil)
                }
            }
        } catch let error as ZstdError {
            throw failure("cannot be decompressed: \(error)")
        }
        pages.consumed(range.count)
        if transform.isDelta {
            let offset = number * directory.chunkByteCount(of: descriptor)
            try base(of: descriptor).withBytes(offset..<offset + target.count) {
                Transform.combine(target, with: $0)
            }
        }
        guard let index else { return }
        let checksum = XXH64.hash(UnsafeRawBufferPointer(target))
        guard checksum == index.tensors[tensor].chunks[number].checksum else {
            throw failure(
                transform.isDelta
                    ? "its checksum does not match; it is damaged, or the base is another"
                    : "its checksum does not match")
        }
    }

    /// Decodes a frame, but for the difference from a base, and tells how it was transformed.
    private func decode(
        _ frame: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer,
        _ decompressor: ZstdDecompressor, checksFrame: Bool
    ) throws -> Transform {
        // The frame says how large it is, within bounds, and must keep its word.
        guard let count = ZstdFrame.contentByteCount(frame), count > 0,
            count <= Transform.capacity(of: target.count) + 1
        else { throw ZstdError("the size of its content is not that of a chunk") }
        let content = decompressor.content(byteCount: count)
        try decompressor.decode(frame, into: content, checksFrame: checksFrame)
        let id = Int(content[count - 1])
        guard id < directory.transforms.count else { throw ZstdError("it names no transform") }
        let transform = directory.transforms[id]
        let isChunk = transform.merge(
            UnsafeRawBufferPointer(rebasing: content[..<(count - 1)]), into: target,
            scratch: decompressor.scratch(byteCount: target.count))
        guard isChunk else { throw ZstdError("its content is not that of a chunk") }
        return transform
    }

    func lost(chunk number: Int, of tensor: Int) -> FormatError {
        let name = directory.tensors[tensor].name.escapedForDisplay
        return FormatError(
            .missing, in: "tensor '\(name)', chunk \(number)", at: file.bytes.count,
            "is lost: the file ends, or is damaged, before it", path: file.path)
    }

    private func base(of descriptor: TensorDescriptor) throws -> any TensorSource {
        guard let tensor = base[ExactString(descriptor.name)],
            tensor.descriptor.encoding == descriptor.encoding,
            tensor.descriptor.shape == descriptor.shape
        else {
            throw ModelError(
                "the base has no tensor '\(descriptor.name.escapedForDisplay)' of the same shape "
                    + "and encoding")
        }
        return tensor
    }

    private static func index(
        for directory: Directory, in file: MappedFile, _ decompressors: Pool<ZstdDecompressor>
    ) throws(FormatError) -> (value: Index, offset: Int) {
        let claim = try Envelope.index(of: file.bytes)
        let bytes = try content(of: claim, named: "index", in: file, decompressors)
        let index = try bytes.withUnsafeBytes { bytes in
            Result { () throws(FormatError) in try Index(bytes, for: directory) }
        }.get()
        return (index, claim.offset)
    }

    /// What a frame holds, once its checksum has been held against it.
    private static func content(
        of claim: FrameClaim, named subject: String, in file: MappedFile,
        _ decompressors: Pool<ZstdDecompressor>
    ) throws(FormatError) -> [UInt8] {
        var failure: (any Error)?
        let content = [UInt8](unsafeUninitializedCapacity: claim.byteCount) { bytes, count in
            do {
                let frame = UnsafeRawBufferPointer(
                    rebasing: file.bytes[claim.offset..<claim.offset + claim.frameByteCount])
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(bytes)[..<claim.byteCount])
                try decompressors.with {
                    try $0.decode(frame, into: target, checksFrame: true)
                }
                count = claim.byteCount
            } catch {
                failure = error
            }
        }
        if let failure {
            throw FormatError(
                .inconsistent, in: subject, at: claim.offset, "cannot be decompressed: \(failure)")
        }
        guard XXH64.hash(content) == claim.checksum else {
            throw FormatError(
                .inconsistent, in: subject, at: claim.offset, "its checksum does not match")
        }
        return content
    }
}

/// Hands out places in a file one after the other, for no frame may overlap another.
private struct FramePlaces {
    var start: Int
    let end: Int

    mutating func next(_ byteCount: Int, _ subject: String) throws(FormatError) -> Range<Int> {
        guard byteCount <= end - start else {
            throw FormatError(
                .truncated, in: subject, at: start,
                "needs \(byteCount) bytes, \(end - start) remain")
        }
        defer { start += byteCount }
        return start..<start + byteCount
    }

    /// The chunks of a file whose index is whole.
    mutating func chunks(
        of directory: Directory, _ index: Index, end: Int
    ) throws(FormatError) -> [[Range<Int>]] {
        var ranges: [[Range<Int>]] = []
        for (descriptor, tensor) in zip(directory.tensors, index.tensors) {
            let subject = "tensor '\(descriptor.name.escapedForDisplay)'"
            var chunks: [Range<Int>] = []
            for chunk in tensor.chunks { chunks.append(try next(chunk.frameByteCount, subject)) }
            ranges.append(chunks)
        }
        guard start == end else {
            throw FormatError(
                .inconsistent, in: "index", at: start,
                "chunks end at \(start), the index starts at \(end)")
        }
        return ranges
    }

    /// The chunks of a file whose index is lost, up to the first that cannot be told from the next.
    mutating func scan(_ directory: Directory, in file: MappedFile) -> [[Range<Int>]] {
        var isLost = false
        return directory.tensors.map { descriptor in
            var chunks: [Range<Int>] = []
            while !isLost, chunks.count < directory.chunkCount(of: descriptor) {
                let size = file.withBytes { bytes in
                    ZstdFrame.byteCount(UnsafeRawBufferPointer(rebasing: bytes[start...]))
                }
                guard let size, size > 0 else {
                    isLost = true
                    break
                }
                chunks.append(start..<start + size)
                start += size
            }
            return chunks
        }
    }
}

extension Checkpoint {
    fileprivate mutating func add(
        _ bytes: [UInt8], _ section: Directory.Section, byteCounts: [Int]
    ) throws(FormatError) {
        switch section.kind {
        case .metadata:
            metadata = try bytes.withUnsafeBytes { bytes in
                Result { () throws(FormatError) in try GGUFMetadataBytes.decode(bytes) }
            }.get()
        case .document: documents[section.name] = bytes
        case .original:
            originals.append(
                try OriginalFile(named: section.name, bytes: bytes, byteCounts: byteCounts))
        }
    }
}

extension DTZFile {
    /// Where the chunks of a tensor lie, in bytes from the start of the file: reading it reads nothing else.
    package func places(of tensor: Int) -> [Range<Int>] { chunkRanges[tensor] }
}
