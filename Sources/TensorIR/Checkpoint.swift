import ByteIO
import OrderedCollections

/// A model as a file or folder holds it: tensors under the file's own names, and all that came along.
///
/// Readers make one, writers take one. What the names mean is the business of `Architectures`, what the
/// bytes of a tensor mean that of `BlockFormats`.
public struct Checkpoint: Sendable {
    /// Whose names and conventions the tensors and metadata follow.
    public enum Dialect: String, Sendable, Hashable {
        /// `config.json`, `tokenizer.json`, names such as `model.layers.0.self_attn.q_proj.weight`.
        case huggingFace
        /// Key-value metadata, names such as `blk.0.attn_q.weight`.
        case gguf
    }

    /// The path as the user gave it, for messages.
    public var path: String
    public var dialect: Dialect
    /// GGUF's key-values, or the `__metadata__` of a safetensors file.
    public var metadata: Metadata
    /// Files beside the weights (`config.json`, `tokenizer.json`, …) by name; empty for GGUF.
    public var documents: OrderedDictionary<String, [UInt8]>
    /// In the file's order; names are unique.
    public var tensors: [any TensorSource]
    /// The files that hold the tensors.
    public var files: [String]
    /// Bytes on disk of all files that hold tensors.
    public var byteCount: Int
    /// The files as they are mapped, for whoever is done with parts of them.
    public var mappedFiles: MappedFiles
    /// What the files were before their tensors were compressed, where writers would make others.
    public var originals: [OriginalFile] = []

    public init(
        path: String, dialect: Dialect, metadata: Metadata = [:],
        documents: OrderedDictionary<String, [UInt8]> = [:], tensors: [any TensorSource],
        files: [String] = [], byteCount: Int = 0, mappedFiles: MappedFiles = MappedFiles([])
    ) {
        self.path = path
        self.dialect = dialect
        self.metadata = metadata
        self.documents = documents
        self.tensors = tensors
        self.files = files
        self.byteCount = byteCount
        self.mappedFiles = mappedFiles
    }

    /// A document parsed as JSON, or nil where there is none of that name.
    /// - Throws: `FormatError` naming the document.
    public func json(_ name: String) throws(FormatError) -> JSON? {
        guard let bytes = documents[name] else { return nil }
        return try JSON(parsing: bytes, subject: name)
    }
}

/// What a model lacks or has that this package cannot work with.
public struct ModelError: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// Where a writer's tensors go: any tensor, any place, any thread, any order.
///
/// The sizes are known before the first byte, so a quantizer hands over each tensor when it is done
/// and none is kept.
public protocol TensorSink: Sendable {
    /// Stores `bytes` of tensor number `index`, `offset` bytes from the tensor's start.
    func write(_ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int) throws
    /// Completes the output. Without this call nothing appears under the output's name.
    func finish() throws
}
