import ByteIO
import Crypto

/// SHA-256 (FIPS 180-4) of bytes and of tensors.
package enum ContentDigest {
    /// A digest of bytes that come in parts.
    package struct Stream {
        private var hash = SHA256()

        package init() {}

        package mutating func update(_ bytes: UnsafeRawBufferPointer) {
            hash.update(bufferPointer: bytes)
        }

        /// The 32 bytes of the digest.
        package func finish() -> [UInt8] { [UInt8](hash.finalize()) }
    }

    /// The digest of some bytes, in hexadecimal.
    package static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
        var stream = Stream()
        stream.update(bytes)
        return hexadecimal(stream.finish())
    }

    /// The digest of a file, in hexadecimal; what has been read of it is given back.
    package static func sha256(_ file: MappedFile) -> String {
        file.withBytes { bytes in
            var stream = Stream()
            for start in stride(from: 0, to: bytes.count, by: 1 << 24) {
                let range = start..<min(start + (1 << 24), bytes.count)
                stream.update(UnsafeRawBufferPointer(rebasing: bytes[range]))
                file.release(range)
            }
            return hexadecimal(stream.finish())
        }
    }

    /// The digest of some bytes, in hexadecimal.
    package static func sha256(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { sha256($0) }
    }

    /// Two digits for each byte.
    package static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The digest of all tensors of a model, the same in whatever container they lie.
    ///
    /// It is the SHA-256 of one line for each tensor, in the order of the names' bytes:
    /// `<SHA-256 of the tensor's bytes>  <encoding> <shape, outermost first, with ×>  <name>`.
    /// Specified in Formats/DTZ/SPECIFICATION.md, "The content digest".
    ///
    /// - Parameter tensors: what each is, with the 32 bytes of its digest.
    /// - Returns: 32 bytes.
    package static func ofTensors(_ tensors: [(TensorDescriptor, [UInt8])]) -> [UInt8] {
        let sorted = tensors.sorted {
            $0.0.name.utf8.lexicographicallyPrecedes($1.0.name.utf8)
        }
        var stream = Stream()
        for (descriptor, digest) in sorted {
            let shape = descriptor.shape.map(String.init).joined(separator: "×")
            let kind = "\(descriptor.encoding) [\(shape)]"
            let line = "\(hexadecimal(digest))  \(kind)  \(descriptor.name)\n"
            Array(line.utf8).withUnsafeBytes { stream.update($0) }
        }
        return stream.finish()
    }
}
