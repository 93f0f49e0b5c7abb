import ByteIO

/// Two matrices of one model that cannot be added: their tensors differ in size.
public struct ImportanceMismatch: Error, Sendable, CustomStringConvertible {
    public let description: String
}

extension ImportanceMatrix {
    /// Adds what another text says about the same model.
    ///
    /// Sums and counts add up, so that every token counts alike, whichever file it came in.
    /// - Throws: `ImportanceMismatch` naming the first tensor of another size; `self` stays as it was.
    public mutating func merge(_ other: ImportanceMatrix) throws(ImportanceMismatch) {
        var merged = entries
        for (name, entry) in other.entries.sorted(by: { $0.key < $1.key }) {
            guard let known = merged[name] else {
                merged[name] = entry
                continue
            }
            merged[name] = try known.adding(entry, name: name.string)
        }
        entries = merged
        datasets += other.datasets
        let tokens = windowCount * windowSize + other.windowCount * other.windowSize
        if windowSize == 0 { windowSize = other.windowSize }
        windowCount = windowSize > 0 ? tokens / windowSize : 0
    }
}

extension ImportanceMatrix.Entry {
    fileprivate func adding(
        _ other: Self, name: String
    ) throws(ImportanceMismatch) -> Self {
        let columns = min(columns, other.columns)
        guard sumsOfSquares.count == other.sumsOfSquares.count,
            var sum = split(intoColumns: columns), let other = other.split(intoColumns: columns)
        else {
            throw ImportanceMismatch(
                description: "tensor '\(name.escapedForDisplay)' has \(sumsOfSquares.count) sums "
                    + "in \(counts.count) matrices in one file, \(other.sumsOfSquares.count) in "
                    + "\(other.counts.count) in another")
        }
        for index in sum.sumsOfSquares.indices {
            sum.sumsOfSquares[index] = added(
                sum.sumsOfSquares[index], other.sumsOfSquares[index])
        }
        for index in sum.counts.indices {
            sum.counts[index] = added(sum.counts[index], other.counts[index])
        }
        return sum
    }
}

/// Finite numbers that are not negative, added without leaving the range that a file may hold.
private func added(_ first: Float, _ second: Float) -> Float {
    min(first + second, .greatestFiniteMagnitude)
}
