import Kernels

/// Sums over the inputs of linear layers.
enum InputStatistics {
    /// H = Σ w·x·xᵀ / Σ 1 over all tokens: (columns, columns).
    ///
    /// - Parameters:
    ///   - input: (tokens, columns).
    ///   - weights: one per token, none of them negative.
    ///   - workers: the threads to sum on; the result does not depend on them.
    /// - Returns: the whole symmetric matrix.
    static func hessian(
        of input: UnsafeMutableBufferPointer<Float>, weights: [Float], workers: Workers
    ) -> Matrix {
        let tokens = weights.count
        let columns = input.count / tokens
        precondition(input.count == tokens * columns)
        let gram = Matrix(rows: columns, columns: columns)
        accumulateGram(
            of: UnsafeBufferPointer(input), factors: weights.map { $0.squareRoot() }, into: gram,
            workers: workers)
        mirrorGram(gram)
        for index in gram.elements.indices { gram.elements[index] /= Float(tokens) }
        return gram
    }

    /// Adds Σ w·(a − b)·xᵀ over tokens to `sum`.
    ///
    /// - Parameters:
    ///   - before: a, (tokens, rows); scratch afterwards.
    ///   - after: b, (tokens, rows).
    ///   - input: x, (tokens, columns).
    ///   - weights: one per token.
    ///   - sum: (rows, columns).
    ///   - workers: the threads to sum on; the result does not depend on them.
    static func addDrift(
        from before: Matrix, to after: UnsafeMutableBufferPointer<Float>,
        with input: UnsafeMutableBufferPointer<Float>, weights: [Float], into sum: Matrix,
        _ workers: Workers
    ) {
        let (tokens, width) = (before.rows, before.columns)
        precondition(after.count == tokens * width && input.count == tokens * sum.columns)
        guard let start = input.baseAddress else { return }
        nonisolated(unsafe) let (after, x) = (after, start)
        workers.forEachRange(of: tokens, length: 256) { range in
            for token in range {
                let (row, weight) = (before.row(token), weights[token])
                for column in 0..<width {
                    row[column] = weight * (row[column] - after[token * width + column])
                }
            }
        }
        workers.forEachRange(of: width, length: 128) { range in
            multiply(
                MatrixOperand(
                    before.pointer(toRow: 0, column: range.lowerBound), stride: width,
                    transposed: true),
                MatrixOperand(x, stride: sum.columns), into: sum.pointer(toRow: range.lowerBound),
                stride: sum.columns, rows: range.count, inner: tokens, columns: sum.columns, keep: 1
            )
        }
    }

    /// Σ w·x² for each column: the Hessian's diagonal without the rest, and not yet divided.
    ///
    /// - Parameters:
    ///   - input: (tokens, columns).
    ///   - columns: of the input, which may have no rows.
    ///   - weights: one per token, none of them negative.
    ///   - workers: the threads to sum on; the result does not depend on them.
    /// - Returns: one sum per column.
    static func sumsOfSquares(
        of input: UnsafeMutableBufferPointer<Float>, columns: Int, weights: [Float],
        workers: Workers
    ) -> [Double] {
        sums(of: input, columns: columns, weights: weights, workers: workers) { $0 * $0 }
    }

    /// Σ w·|x| for each column, likewise.
    static func sumsOfMagnitudes(
        of input: UnsafeMutableBufferPointer<Float>, columns: Int, weights: [Float],
        workers: Workers
    ) -> [Double] {
        sums(of: input, columns: columns, weights: weights, workers: workers) { $0.magnitude }
    }

    @inline(__always)
    private static func sums(
        of input: UnsafeMutableBufferPointer<Float>, columns: Int, weights: [Float],
        workers: Workers, _ measure: @Sendable (Double) -> Double
    ) -> [Double] {
        let tokens = weights.count
        precondition(input.count == tokens * columns)
        var sums = [Double](repeating: 0, count: columns)
        guard let base = input.baseAddress else { return sums }
        nonisolated(unsafe) let start = base
        sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            workers.forEachRange(of: columns, length: 64) { range in
                for token in 0..<tokens {
                    let weight = Double(weights[token])
                    let x = start + token * columns
                    for column in range {
                        sums[column] += weight * measure(Double(x[column]))
                    }
                }
            }
        }
        return sums
    }
}
