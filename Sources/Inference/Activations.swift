import Kernels

/// Some rows of what matrices multiply, and a rounded copy of them where a product is in bfloat16.
struct Activations: @unchecked Sendable {
    /// (count, columns)
    let floats: UnsafePointer<Float>
    let rounded: UnsafePointer<UInt16>?
    let count: Int
    private let columns: Int

    /// Lends activations for as long as `body` runs.
    ///
    /// - Parameters:
    ///   - floats: (tokens, columns).
    ///   - columns: at least one.
    ///   - isRounded: whether there should be a rounded copy: one for all matrices that share the input.
    ///   - workers: the threads to round on.
    ///   - body: gets all rows.
    /// - Throws: what `body` throws.
    static func with(
        _ floats: UnsafeMutableBufferPointer<Float>, columns: Int, rounded isRounded: Bool,
        _ workers: Workers, _ body: (Activations) throws -> Void
    ) rethrows {
        guard let start = floats.baseAddress, columns > 0 else { return }
        let count = floats.count / columns
        guard isRounded else {
            return try body(
                Activations(floats: start, rounded: nil, count: count, columns: columns))
        }
        try withRoundedScratch(floats.count) { bits in
            nonisolated(unsafe) let (source, target) = (UnsafeBufferPointer(floats), bits)
            workers.forEachRange(of: floats.count, length: 1 << 16) { range in
                BFloat16.round(
                    UnsafeBufferPointer(rebasing: source[range]),
                    into: UnsafeMutableBufferPointer(rebasing: target[range]))
            }
            try body(
                Activations(
                    floats: start, rounded: bits.baseAddress, count: count, columns: columns))
        }
    }

    subscript(rows: Range<Int>) -> Activations {
        let offset = rows.lowerBound * columns
        return Activations(
            floats: floats + offset, rounded: rounded.map { $0 + offset }, count: rows.count,
            columns: columns)
    }
}

/// Lends uninitialized memory for rounded numbers.
func withRoundedScratch<Result>(
    _ count: Int, _ body: (UnsafeMutableBufferPointer<UInt16>) throws -> Result
) rethrows -> Result {
    try withScratch((count + 1) / 2) { scratch in
        let bytes = UnsafeMutableRawBufferPointer(scratch)
        return try body(
            UnsafeMutableBufferPointer(
                rebasing: bytes.assumingMemoryBound(to: UInt16.self)[..<count]))
    }
}
