import ByteIO

/// How strongly the inputs of linear layers vary on a text: for each column of a weight matrix, the
/// mean square of the number that it multiplies.
///
/// That is the diagonal of the layer's Hessian, and what an error in the column counts when weights
/// are rounded to nearest. The file forms are llama.cpp's: GGUF, and the older one whose files are
/// called `.dat` (Formats/Imatrix/SPECIFICATION.md).
public struct ImportanceMatrix: Sendable, Hashable {
    /// The statistics of one tensor.
    public struct Entry: Sendable, Hashable {
        /// Σ x² over tokens, for each column; one run of columns after the other where the tensor
        /// holds several matrices (experts).
        public var sumsOfSquares: [Float]
        /// Tokens that went into the sums, for each matrix. The older form has one count for all
        /// experts of a tensor, and does not say how many those are.
        public var counts: [Float]

        /// - Precondition: at least one count; as many sums for each.
        public init(sumsOfSquares: [Float], counts: [Float]) {
            precondition(!counts.isEmpty && sumsOfSquares.count % counts.count == 0)
            (self.sumsOfSquares, self.counts) = (sumsOfSquares, counts)
        }

        /// Columns of each matrix; of all experts together where there is one count for them.
        public var columns: Int { sumsOfSquares.count / counts.count }

        /// Matrices that at least one token reached.
        public var reachedCount: Int { counts.count { $0 > 0 } }

        /// Whether a token reached a matrix; where all experts share a count, they share the answer.
        public func isReached(matrix: Int) -> Bool {
            counts.count == 1
                ? counts[0] > 0 : counts.indices.contains(matrix) && counts[matrix] > 0
        }

        /// The same numbers with a count for each of the matrices that have so many columns; nil
        /// where the entry is not about such matrices.
        func split(intoColumns columns: Int) -> Entry? {
            guard self.columns != columns else { return self }
            guard counts.count == 1, columns > 0, self.columns.isMultiple(of: columns) else {
                return nil
            }
            return Entry(
                sumsOfSquares: sumsOfSquares,
                counts: [Float](repeating: counts[0], count: self.columns / columns))
        }

        /// The mean square of each column's input. A matrix that no token reached has ones: nothing
        /// is known of it, so all its columns count alike.
        public func means(ofMatrix matrix: Int = 0) -> [Float] {
            let count = counts[matrix]
            let sums = sumsOfSquares[matrix * columns..<(matrix + 1) * columns]
            return count > 0 ? sums.map { $0 / count } : [Float](repeating: 1, count: columns)
        }
    }

    /// By the tensor's name in GGUF: `blk.0.attn_q.weight`.
    public var entries: [ExactString: Entry]
    /// The texts that were run, by name or path.
    public var datasets: [String]
    /// Windows of text, and tokens in each.
    public var windowCount: Int
    public var windowSize: Int

    public init(
        entries: [ExactString: Entry] = [:], datasets: [String] = [], windowCount: Int = 0,
        windowSize: Int = 0
    ) {
        (self.entries, self.datasets) = (entries, datasets)
        (self.windowCount, self.windowSize) = (windowCount, windowSize)
    }

    /// What errors in the columns of a matrix count, or nil where the text says nothing about it.
    ///
    /// - Parameters:
    ///   - name: the tensor's in GGUF.
    ///   - columns: of the tensor.
    ///   - matrix: which of the tensor's matrices, in a tensor of experts.
    /// - Returns: the mean square of each column's input.
    /// - Throws: `QuantizationError.widthMismatch`.
    public func weights(
        ofTensor name: String, columns: Int, matrix: Int = 0
    ) throws(QuantizationError) -> [Float]? {
        guard let stored = entries[name] else { return nil }
        guard let entry = stored.split(intoColumns: columns) else {
            throw .widthMismatch(columns: columns, statistics: stored.columns)
        }
        guard entry.counts.indices.contains(matrix), entry.counts[matrix] > 0 else { return nil }
        return entry.means(ofMatrix: matrix)
    }
}
