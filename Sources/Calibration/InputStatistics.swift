import Inference
import Kernels

/// Sums over the inputs of linear layers.
enum InputStatistics {
    /// H = Σ w·x·xᵀ / Σ 1 over all tokens: (columns, columns).
    ///
    /// - Parameters:
    ///   - input: (tokens, columns).
    ///   - weights: one per token, none of them negative.
    ///   - precision: of what is multiplied.
    ///   - workers: the threads to sum on; the result does not depend on them.
    /// - Returns: the whole symmetric matrix.
    static func hessian(
        of input: UnsafeMutableBufferPointer<Float>, weights: [Float], precision: Precision = .f32,
        workers: Workers
    ) -> Matrix {
        let tokens = weights.count
        let columns = input.count / tokens
        precondition(input.count == tokens * columns)
        let gram = Matrix(rows: columns, columns: columns)
        accumulateGram(
            of: UnsafeBufferPointer(input), factors: weights.map { $0.squareRoot() }, into: gram,
            panels: GramPanels(columns: columns, isRounded: precision == .bf16), workers: workers)
        mirrorGram(gram, workers: workers)
        for index in gram.elements.indices { gram.elements[index] /= Float(tokens) }
        return gram
    }

    /// w·(a − b − c) for each token.
    ///
    /// - Parameters:
    ///   - before: a, (tokens, width).
    ///   - after: b, likewise.
    ///   - bias: c, the same for all tokens; nil for zeros.
    ///   - weights: one per token.
    ///   - result: gets it in its first rows, (tokens, width).
    ///   - workers: the threads to work on.
    static func difference(
        of before: Matrix, and after: UnsafeMutableBufferPointer<Float>, minus bias: [Float]?,
        weights: [Float], into result: Matrix, _ workers: Workers
    ) {
        precondition(after.count == before.elements.count && weights.count == before.rows)
        let bias = bias ?? [Float](repeating: 0, count: before.columns)
        nonisolated(unsafe) let after = after
        workers.forEachRange(of: before.rows, length: 256) { range in
            for token in range {
                let (row, was, weight) = (result.row(token), before.row(token), weights[token])
                let start = token * row.count
                for column in row.indices {
                    row[column] = weight * (was[column] - after[start + column] - bias[column])
                }
            }
        }
    }

    /// Adds Σ a·xᵀ over tokens to `sum`.
    ///
    /// - Parameters:
    ///   - a: (tokens, rows).
    ///   - input: x, (tokens, columns).
    ///   - sum: (rows, columns).
    ///   - precision: of what is multiplied.
    ///   - workers: the threads to sum on; the result does not depend on them.
    static func addProducts(
        of a: UnsafeMutableBufferPointer<Float>, and input: UnsafeMutableBufferPointer<Float>,
        to sum: Matrix, precision: Precision = .f32, _ workers: Workers
    ) {
        let (rows, columns) = (sum.rows, sum.columns)
        let tokens = a.count / rows
        precondition(a.count == tokens * rows && input.count == tokens * columns)
        guard tokens > 0, let a = a.baseAddress, let x = input.baseAddress else { return }
        nonisolated(unsafe) let (first, second) = (a, x)
        let rounded =
            precision == .bf16
            ? (
                RoundedRows(first, count: tokens, columns: rows, workers),
                RoundedRows(second, count: tokens, columns: columns, workers)
            ) : nil
        workers.forEachRange(of: rows, length: 192) { range in
            let target = sum.pointer(toRow: range.lowerBound)
            if let (a, x) = rounded {
                return multiplyRounded(
                    a.transposed(column: range.lowerBound), x.operand, into: target,
                    stride: columns, rows: range.count, inner: tokens, columns: columns, keep: 1)
            }
            multiply(
                MatrixOperand(first + range.lowerBound, stride: rows, transposed: true),
                MatrixOperand(second, stride: columns), into: target, stride: columns,
                rows: range.count, inner: tokens, columns: columns, keep: 1)
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
