import ByteIO
import TensorIR

/// SentencePiece's precompiled table of replacements: which characters become which text.
///
///     offset    size  field
///          0       4  n: bytes of the trie
///          4       n  the trie: a double array of 32-bit units (Darts-clone; Yata et al. 2007)
///      4 + n  the rest  the replacements, each ended by a zero byte
///
/// A unit of the trie, from the lowest bit: 8 bits label, 1 bit "a key ends here", 1 bit "the offset is
/// shifted by 8", 22 bits offset to the children. Where a key ends, the child of label 0 holds the
/// place of its replacement in the lower 31 bits. Offsets are joined with exclusive or.
public struct CharacterMap: Sendable, Hashable {
    /// How the table is applied to a text.
    public enum Matching: Sendable, Hashable {
        /// At each place the longest key, as SentencePiece does it.
        case longestPrefix
        /// As the `tokenizers` library does it: a grapheme cluster of less than 6 bytes that starts with
        /// a key becomes the replacement of the shortest; else each of its characters, likewise.
        case firstPrefixOfClusters
    }

    /// The table as files hold it.
    public let bytes: [UInt8]
    public var matching: Matching
    private let units: [UInt32]
    /// Where the replacements start in `bytes`.
    private let textOffset: Int

    /// - Throws: `ModelError` where the bytes are no such table.
    public init(_ bytes: [UInt8], matching: Matching) throws(ModelError) {
        let parsed = bytes.withUnsafeBytes { buffer in
            Result { () throws(FormatError) -> [UInt32] in
                var reader = ByteReader(buffer, reading: "precompiled character map")
                let size = try reader.integer(UInt32.self)
                guard size.isMultiple(of: 4) else {
                    throw reader.failure(.inconsistent, "a trie of \(size) bytes")
                }
                let trie = try reader.take(Int(size))
                return (0..<trie.count / 4).map {
                    UInt32(
                        littleEndian: trie.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
                }
            }
        }
        do throws(FormatError) { units = try parsed.get() } catch {
            throw ModelError(error.description)
        }
        guard !units.isEmpty, bytes.last == 0 || bytes.count == 4 + 4 * units.count else {
            throw ModelError("precompiled character map: the last replacement has no end")
        }
        self.bytes = bytes
        self.matching = matching
        textOffset = 4 + 4 * units.count
    }

    /// The changed text.
    func applied(to text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        switch matching {
        case .longestPrefix: replacingLongestPrefixes(text)
        case .firstPrefixOfClusters: replacingClusters(text)
        }
    }

    private func replacingLongestPrefixes(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            let rest = UnsafeBufferPointer(rebasing: text[position...])
            if let match = prefixes(of: rest, onlyFirst: false) {
                append(match.replacement, to: &result)
                position += match.length
            } else {
                let end = min(position + UTF8.width(ofSequence: text[position]), text.count)
                result.append(contentsOf: text[position..<end])
                position = end
            }
        }
        return result
    }

    private func replacingClusters(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for cluster in String(decoding: text, as: UTF8.self) {
            let bytes = Array(cluster.utf8)
            if bytes.count < 6, let match = bytes.withUnsafeBufferPointer({ first(of: $0) }) {
                append(match, to: &result)
                continue
            }
            for scalar in cluster.unicodeScalars {
                let bytes = Array(UTF8.encode(scalar) ?? .init())
                if let match = bytes.withUnsafeBufferPointer({ first(of: $0) }) {
                    append(match, to: &result)
                } else {
                    result += bytes
                }
            }
        }
        return result
    }

    private func first(of text: UnsafeBufferPointer<UInt8>) -> Int? {
        prefixes(of: text, onlyFirst: true)?.replacement
    }

    /// The shortest or the longest key that `text` starts with, and where its replacement stands.
    private func prefixes(
        of text: UnsafeBufferPointer<UInt8>, onlyFirst: Bool
    ) -> (replacement: Int, length: Int)? {
        var found: (replacement: Int, length: Int)?
        var node = CharacterMap.offset(units[0])
        for (index, byte) in text.enumerated() {
            guard byte != 0 else { break }
            node ^= Int(byte)
            guard node < units.count else { break }
            let unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { break }
            node ^= CharacterMap.offset(unit)
            guard unit & 0x100 != 0 else { continue }
            guard node < units.count else { break }
            found = (Int(units[node] & 0x7FFF_FFFF), index + 1)
            if onlyFirst { break }
        }
        return found
    }

    private static func offset(_ unit: UInt32) -> Int {
        Int((unit >> 10) << ((unit & 0x200) >> 6))
    }

    private func append(_ replacement: Int, to result: inout [UInt8]) {
        // A place outside of the table stands for no text.
        guard replacement < bytes.count - textOffset else { return }
        for byte in bytes[(textOffset + replacement)...] {
            guard byte != 0 else { return }
            result.append(byte)
        }
    }
}

extension UTF8 {
    /// How many bytes a character has that starts with `byte`.
    static func width(ofSequence byte: UInt8) -> Int {
        switch byte {
        case 0..<0xC0: 1
        case 0xC0..<0xE0: 2
        case 0xE0..<0xF0: 3
        default: 4
        }
    }
}
