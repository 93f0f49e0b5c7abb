/// How much of an evaluation's text stands in the calibration's too.
///
/// Weights that were fitted to a text predict that text better than others, so an evaluation on it flatters.
/// Following Brown et al. 2020, appendix C, texts are compared in runs of 13 words, lower-cased and without
/// punctuation: shorter runs are found in any two texts of a language. A word counts as shared when it lies
/// in such a run; ideographs and kana count as words of their own.
public struct TextOverlap: Sendable, Hashable {
    /// Words in a run.
    public static let runLength = 13

    /// Words of the evaluation's text.
    public let wordCount: Int
    /// Those of them that lie in runs which the calibration's text has too.
    public let sharedWordCount: Int
    /// Words of the longest stretch without a gap of such runs.
    public let longestSharedRun: Int

    /// Of the evaluation's words, 0 to 1.
    public var share: Double { Double(sharedWordCount) / Double(max(1, wordCount)) }

    /// - Parameters:
    ///   - evaluation: the text that is scored, in UTF-8.
    ///   - calibration: the text that the model's quantization was fitted to, in UTF-8.
    public init(evaluation: [UInt8], calibration: [UInt8]) {
        let words = Self.wordHashes(evaluation)
        let known = Self.runHashes(Self.wordHashes(calibration)).sorted()
        var sharedEnd = 0
        var (shared, longest, stretch) = (0, 0, 0)
        for (start, run) in Self.runHashes(words).enumerated() where Self.contains(known, run) {
            stretch = start <= sharedEnd && sharedEnd > 0 ? stretch : 0
            let added = start + Self.runLength - max(start, sharedEnd)
            shared += added
            stretch += added
            longest = max(longest, stretch)
            sharedEnd = start + Self.runLength
        }
        (wordCount, sharedWordCount, longestSharedRun) = (words.count, shared, longest)
    }

    /// A 64-bit hash of each word (FNV-1a): that two different runs agree is as good as impossible, and
    /// would only overstate the overlap.
    private static func wordHashes(_ text: [UInt8]) -> [UInt64] {
        var words: [UInt64] = []
        var hash: UInt64?
        func end() {
            if let hash { words.append(hash) }
            hash = nil
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            let isWordPart =
                scalar.isASCII
                ? ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                    || ("0"..."9").contains(scalar)
                : scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            guard isWordPart else {
                end()
                continue
            }
            let standsAlone = scalar.properties.isIdeographic || (0x3040...0x30FF) ~= scalar.value
            if standsAlone { end() }
            let lower =
                scalar.isASCII
                ? [scalar.value | (scalar.value >= 0x41 && scalar.value <= 0x5A ? 0x20 : 0)]
                : scalar.properties.lowercaseMapping.unicodeScalars.map(\.value)
            for value in lower {
                hash = ((hash ?? 0xCBF2_9CE4_8422_2325) ^ UInt64(value)) &* 0x0000_0100_0000_01B3
            }
            if standsAlone { end() }
        }
        end()
        return words
    }

    /// A hash for each run of words, by the word that it starts with.
    private static func runHashes(_ words: [UInt64]) -> [UInt64] {
        guard words.count >= runLength else { return [] }
        return (0...words.count - runLength).map { start in
            words[start..<start + runLength].reduce(0) { hash, word in
                (hash &* 0x9E37_79B9_7F4A_7C15 ^ word) &* 0xC2B2_AE3D_27D4_EB4F
            }
        }
    }

    private static func contains(_ sorted: [UInt64], _ value: UInt64) -> Bool {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == value
    }
}
