import BlockFormats
import Kernels
import Synchronization
import TensorIR

extension TensorSource {
    /// Decodes the tensor, about a megabyte of weights at a time for each thread.
    ///
    /// - Parameters:
    ///   - workers: the threads.
    ///   - body: is lent the weights of some rows, and told which rows these are.
    /// - Returns: what `body` made of each stretch of rows, from the first to the last.
    /// - Throws: `UnsupportedEncoding`, and what `body` and reading the tensor throw.
    func mapDecodedRows<Part: Sendable>(
        _ workers: Workers,
        _ body: @Sendable (UnsafeBufferPointer<Float>, Range<Int>) throws -> Part
    ) throws -> [Part] {
        let columns = descriptor.columns
        let codec = try RowCodec(descriptor.encoding, columns: columns)
        let length = max(1, (1 << 18) / max(1, columns))
        let parts = Mutex<[Int: Part]>([:])
        try workers.forEachRange(of: descriptor.rows, length: length) { rows in
            let weights = Matrix(rows: rows.count, columns: columns)
            try withBytes(rows: rows) { codec.decode($0, into: weights.elements) }
            let part = try body(UnsafeBufferPointer(weights.elements), rows)
            parts.withLock { $0[rows.lowerBound] = part }
        }
        return parts.withLock { parts in parts.keys.sorted().compactMap { parts[$0] } }
    }
}
