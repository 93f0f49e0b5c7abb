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

    /// Σ w·x² / Σ 1 for each column: the Hessian's diagonal without the rest.
    static func meanSquares(
        of input: UnsafeMutableBufferPointer<Float>, weights: [Float], workers: Workers
    ) -> [Float] {
        let tokens = weights.count
        let columns = input.count / tokens
        precondition(input.count == tokens * columns)
        guard let base = input.baseAddress else { return [] }
        nonisolated(unsafe) let start = base
        let sums = Matrix(rows: 1, columns: columns)
        workers.forEachRange(of: columns, length: 64) { range in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: range.count) { totals in
                totals.initialize(repeating: 0)
                for token in 0..<tokens {
                    let weight = Double(weights[token])
                    let x = start + token * columns + range.lowerBound
                    for index in 0..<range.count {
                        totals[index] += weight * Double(x[index]) * Double(x[index])
                    }
                }
                for (index, column) in range.enumerated() {
                    sums[0, column] = Float(totals[index] / Double(tokens))
                }
            }
        }
        return Array(sums.elements)
    }
}
