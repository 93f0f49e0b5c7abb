import ByteIO
import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// llama.cpp's file of a model's log-probabilities in 16 bits each, which `llama-perplexity
/// --kl-divergence-base` writes (Formats/References/SPECIFICATION.md, "llama.cpp's layout").
package struct LogitDump: Sendable {
    package let vocabularySize: Int
    package let context: Int
    /// As the text gives them: a window's first token is not replaced.
    package let windows: [[Int32]]
    private let file: MappedFile
    private let rowsOffset: Int

    static let magic = Array("_logits_".utf8)
    /// llama.cpp leaves out what is less likely than e to minus this.
    static let range: Float = 16

    /// Codes stand behind two floats, and a row of an odd number has one more.
    static func rowByteCount(vocabularySize: Int) -> Int { 8 + (vocabularySize + 1) / 2 * 4 }

    package static func looksLike(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: magic)
    }

    /// Maps a file and checks all that it claims.
    ///
    /// - Throws: `SystemError` when it cannot be mapped, `FormatError` for what contradicts the layout.
    package init(path: String) throws {
        file = try MappedFile(path: path)
        do throws(FormatError) {
            let claims = try file.withBytes { bytes throws(FormatError) in try Claims(bytes) }
            (vocabularySize, context) = (claims.vocabularySize, claims.context)
            (windows, rowsOffset) = (claims.windows, claims.rowsOffset)
        } catch {
            throw error.inFile(path)
        }
    }

    /// What stands before the rows, and that all rows are there with scales that are numbers.
    private struct Claims {
        let vocabularySize, context, rowsOffset: Int
        let windows: [[Int32]]

        init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
            var reader = ByteReader(bytes, reading: "header")
            guard try reader.take(magic.count).elementsEqual(magic) else {
                throw reader.failure(.inconsistent, "does not start with '_logits_'")
            }
            context = Int(try reader.integer(Int32.self))
            vocabularySize = Int(try reader.integer(Int32.self))
            let windowCount = Int(try reader.integer(Int32.self))
            guard (4...1 << 24).contains(context), vocabularySize > 0, windowCount > 0 else {
                throw reader.failure(
                    .inconsistent,
                    "claims \(windowCount) windows of \(context) of \(vocabularySize) tokens")
            }
            reader.subject = "tokens"
            // Each factor is below 2³¹.
            guard windowCount * context <= reader.remaining / 4 else {
                throw reader.failure(
                    .truncated,
                    "\(windowCount * context) do not fit in the \(reader.remaining) bytes left")
            }
            let vocabulary = 0..<Int32(vocabularySize)
            var windows: [[Int32]] = []
            for _ in 0..<windowCount {
                var window: [Int32] = []
                for _ in 0..<context { try window.append(reader.integer()) }
                guard window.allSatisfy(vocabulary.contains) else {
                    throw reader.failure(.inconsistent, "has one that the vocabulary lacks")
                }
                windows.append(window)
            }
            self.windows = windows
            rowsOffset = reader.offset
            let rowCount = windowCount * StoredReference.rowsPerWindow(context: context)
            let size = LogitDump.rowByteCount(vocabularySize: vocabularySize)
            reader.subject = "rows"
            guard rowCount <= reader.remaining / size, reader.remaining == rowCount * size else {
                throw reader.failure(
                    .truncated,
                    "\(rowCount) of \(size) bytes do not take the \(reader.remaining) that remain")
            }
            for row in 0..<rowCount {
                reader.subject = "row \(row)"
                let scale = Float(bitPattern: try reader.integer())
                let minimum = Float(bitPattern: try reader.integer())
                guard scale.isFinite, scale >= 0, minimum.isFinite else {
                    throw reader.failure(
                        .inconsistent, "has the scale \(scale), the minimum \(minimum)")
                }
                _ = try reader.take(size - 8)
            }
        }
    }
}

extension LogitDump: ReferenceRows {
    package func compare(
        row: Int, id: Int, logits: UnsafeBufferPointer<Float>, logSumExp: Double
    ) -> RowComparison {
        file.withBytes { bytes in
            let size = Self.rowByteCount(vocabularySize: vocabularySize)
            let start = rowsOffset + row * size
            let row = UnsafeRawBufferPointer(rebasing: bytes[start..<start + size])
            func float(_ offset: Int) -> Float {
                let bits = row.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                return Float(bitPattern: UInt32(littleEndian: bits))
            }
            let (scale, minimum) = (float(0), float(4))
            func logProbability(_ id: Int) -> Float {
                let code = UInt16(
                    littleEndian: row.loadUnaligned(fromByteOffset: 8 + 2 * id, as: UInt16.self))
                return scale * Float(code) + minimum
            }
            var divergence = 0.0
            var top = (id: 0, logProbability: -Float.infinity)
            for id in 0..<vocabularySize {
                let value = logProbability(id)
                if value > top.logProbability { top = (id, value) }
                guard value > -Self.range else { continue }
                divergence +=
                    Double(exp(value)) * (Double(value) - (Double(logits[id]) - logSumExp))
            }
            // As if one token had all the mass: with more, their errors cancel in part.
            let variance = Double(scale) * Double(scale) / 12
            return RowComparison(
                negativeLogLikelihood: -Double(logProbability(id)), divergence: divergence,
                top: top.id, sampling: SamplingError(roundingVariance: variance))
        }
    }
}
