import ByteIO
import TensorIR

/// What stands at the end of a file: where each chunk is, and what it must decode to.
struct Index: Sendable {
    struct Chunk: Sendable {
        let frameByteCount: Int
        /// XXH64 of the tensor's bytes in this chunk.
        let checksum: UInt64
    }

    struct Tensor: Sendable {
        /// SHA-256 of the tensor's bytes.
        let digest: [UInt8]
        let chunks: [Chunk]
    }

    /// Of all tensors.
    let contentDigest: [UInt8]
    /// As in the directory.
    let tensors: [Tensor]

    func bytes() -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes += contentDigest
        for tensor in tensors {
            writer.bytes += tensor.digest
            for chunk in tensor.chunks {
                writer.integer(UInt32(chunk.frameByteCount))
                writer.integer(chunk.checksum)
            }
        }
        return writer.bytes
    }

    init(contentDigest: [UInt8], tensors: [Tensor]) {
        (self.contentDigest, self.tensors) = (contentDigest, tensors)
    }

    /// Reads an index for a directory.
    init(_ bytes: UnsafeRawBufferPointer, for directory: Directory) throws(FormatError) {
        var reader = ByteReader(bytes, reading: "index")
        contentDigest = [UInt8](try reader.take(32))
        var tensors: [Tensor] = []
        for descriptor in directory.tensors {
            reader.subject = "index: tensor '\(descriptor.name.escapedForDisplay)'"
            let digest = [UInt8](try reader.take(32))
            let count = directory.chunkCount(of: descriptor)
            guard count <= reader.remaining / 12 else {
                throw reader.failure(
                    .truncated, "has \(count) chunks, \(reader.remaining) bytes remain")
            }
            var chunks: [Chunk] = []
            chunks.reserveCapacity(count)
            for _ in 0..<count {
                chunks.append(
                    Chunk(
                        frameByteCount: Int(try reader.integer(UInt32.self)),
                        checksum: try reader.integer()))
            }
            tensors.append(Tensor(digest: digest, chunks: chunks))
        }
        guard reader.remaining == 0 else {
            throw reader.failure(.inconsistent, "\(reader.remaining) bytes follow the last chunk")
        }
        self.tensors = tensors
    }
}
