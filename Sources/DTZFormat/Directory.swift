import ByteIO
import TensorIR

/// What stands at the start of a file: all that is known before the first tensor is compressed.
struct Directory: Sendable {
    /// A run of bytes that is no tensor, in a frame of its own.
    struct Section: Sendable {
        enum Kind: UInt8 {
            /// Key-value pairs, as GGUF has them.
            case metadata = 0
            /// A file beside the weights.
            case document = 1
            /// What a file was before its tensors were taken out.
            case original = 2
        }

        let kind: Kind
        let name: String
        let byteCount: Int
        let frameByteCount: Int
        let checksum: UInt64
    }

    /// What deltas are taken from.
    struct Base: Sendable {
        let name: String
        /// The content digest, 32 bytes.
        let digest: [UInt8]
    }

    var chunkCapacity: Int
    var dialect: Checkpoint.Dialect
    var base: Base?
    var sections: [Section] = []
    /// What chunks refer to by number.
    var transforms: [Transform] = []
    var tensors: [TensorDescriptor] = []

    /// Bytes of a tensor in each of its chunks but the last.
    func chunkByteCount(of tensor: TensorDescriptor) -> Int {
        DTZ.chunkByteCount(
            capacity: chunkCapacity, bytesPerBlock: tensor.encoding.bytesPerBlock)
    }

    func chunkCount(of tensor: TensorDescriptor) -> Int {
        let size = chunkByteCount(of: tensor)
        return tensor.byteCount / size + (tensor.byteCount % size == 0 ? 0 : 1)
    }
}

extension Directory {
    func bytes() -> [UInt8] {
        var writer = ByteWriter()
        writer.integer(UInt32(chunkCapacity))
        writer.integer(UInt8(dialect == .gguf ? 1 : 0))
        writer.integer(UInt8(base == nil ? 0 : 1))
        if let base {
            writer.string(base.name)
            writer.bytes += base.digest
        }
        writer.integer(UInt64(sections.count))
        for section in sections {
            writer.integer(section.kind.rawValue)
            writer.string(section.name)
            writer.integer(UInt64(section.byteCount))
            writer.integer(UInt64(section.frameByteCount))
            writer.integer(section.checksum)
        }
        writer.integer(UInt64(transforms.count))
        for transform in transforms {
            writer.integer(transform.flags)
            writer.integer(UInt16(transform.fields.count))
            for field in transform.fields { writer.integer(UInt32(field)) }
        }
        writer.integer(UInt64(tensors.count))
        for tensor in tensors {
            writer.string(tensor.name)
            writer.encoding(tensor.encoding)
            writer.integer(UInt8(tensor.shape.count))
            for dimension in tensor.shape { writer.integer(UInt64(dimension)) }
        }
        return writer.bytes
    }

    /// Reads a directory and checks every claim in it.
    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes, reading: "directory: chunk size")
        let capacity = try reader.integer(UInt32.self)
        guard (1...DTZ.maximumChunkCapacity).contains(Int(capacity)) else {
            throw reader.failure(
                .limitExceeded, "is \(capacity), must be 1 to \(DTZ.maximumChunkCapacity)")
        }
        chunkCapacity = Int(capacity)
        reader.subject = "directory: dialect"
        dialect = try reader.flag() ? .gguf : .huggingFace
        reader.subject = "directory: base"
        if try reader.flag() {
            base = Base(name: try reader.string(), digest: [UInt8](try reader.take(32)))
        }
        sections = try Directory.sections(&reader)
        reader.subject = "directory: transforms"
        for _ in 0..<(try reader.count(ofElementsAtLeast: 1 + 2 + 4)) {
            let transform = try reader.transform()
            guard base != nil || !transform.isDelta else {
                throw reader.failure(.inconsistent, "one is of differences, and there is no base")
            }
            transforms.append(transform)
        }
        guard transforms.count <= 256 else {
            throw reader.failure(.limitExceeded, "has \(transforms.count), the limit is 256")
        }
        reader.subject = "directory: tensor count"
        let count = try reader.count(ofElementsAtLeast: 4 + 2 + 1)
        var names: Set<ExactString> = []
        for number in 0..<count {
            reader.subject = "directory: tensor \(number)"
            let tensor = try reader.tensor()
            guard names.insert(ExactString(tensor.name)).inserted else {
                throw reader.failure(
                    .duplicateName, "'\(tensor.name.escapedForDisplay)' stands twice")
            }
            tensors.append(tensor)
        }
        guard reader.remaining == 0 else {
            throw reader.failure(.inconsistent, "\(reader.remaining) bytes follow the last tensor")
        }
    }

    private static func sections(_ reader: inout ByteReader) throws(FormatError) -> [Section] {
        reader.subject = "directory: section count"
        let count = try reader.count(ofElementsAtLeast: 1 + 4 + 24)
        var sections: [Section] = []
        var room = DTZ.maximumSectionsByteCount
        var names: Set<ExactString> = []
        for number in 0..<count {
            reader.subject = "directory: section \(number)"
            let kind = try reader.integer(UInt8.self)
            guard let kind = Section.Kind(rawValue: kind) else {
                throw reader.failure(.unsupportedVersion, "kind \(kind) is not known")
            }
            let name = try reader.string()
            let byteCount = try reader.integer(UInt64.self)
            guard byteCount <= min(room, DTZ.maximumSectionByteCount) else {
                throw reader.failure(
                    .limitExceeded, "claims \(byteCount) bytes, of which \(room) may follow")
            }
            room -= Int(byteCount)
            guard let frameByteCount = Int(exactly: try reader.integer(UInt64.self)) else {
                throw reader.failure(.limitExceeded, "its frame is too large")
            }
            // A document becomes a file beside the model: its name must not lead elsewhere.
            let isFile = kind != .metadata
            guard !isFile || !name.isEmpty && !name.contains("/") && !name.utf8.contains(0),
                ![".", ".."].contains(name)
            else {
                throw reader.failure(.malformed, "its name must be a plain file name")
            }
            guard names.insert(ExactString("\(kind.rawValue)/\(name)")).inserted else {
                throw reader.failure(.duplicateName, "'\(name.escapedForDisplay)' stands twice")
            }
            sections.append(
                Section(
                    kind: kind, name: name, byteCount: Int(byteCount),
                    frameByteCount: frameByteCount, checksum: try reader.integer()))
        }
        return sections
    }
}
