import Crypto

/// SHA-256 (FIPS 180-4) of what went into an output.
package enum ContentDigest {
    /// The digest of some bytes, in hexadecimal.
    package static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        let digits = Array("0123456789abcdef")
        return String(
            hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The digest of some bytes, in hexadecimal.
    package static func sha256(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { sha256($0) }
    }
}
