import Kernels

/// How far the inputs of a layer are from what they were in the model before it was quantized.
///
/// With inputs x and residual stream r as they were, x̃ and r̃ as they are, and the tokens' weights w.
package struct InputDrift: Sendable {
    /// Σ w·(x − x̃)·x̃ᵀ / Σ 1 over calibration tokens: (columns, columns).
    package let inputs: Matrix
    /// Σ w·(r − r̃)·x̃ᵀ / Σ 1, (rows, columns), where the layer's result is added to the stream as it is.
    package let stream: Matrix?

    package init(inputs: Matrix, stream: Matrix?) {
        (self.inputs, self.stream) = (inputs, stream)
    }
}

extension Hessian {
    /// Weights that make up for what the layers before have lost.
    ///
    /// Of all matrices V, the one returned for a share of 1 minimizes Σ w·‖(r + W·x) − (r̃ + V·x̃)‖², damped:
    /// V = W + (W·Σ w·(x − x̃)·x̃ᵀ + Σ w·(r − r̃)·x̃ᵀ)·H⁻¹. Without the stream this is the asymmetric
    /// calibration of GPTAQ (Li et al. 2025). Calibration text says only roughly what the correction should
    /// be: a part of it does better than all.
    ///
    /// - Parameters:
    ///   - weights: W, (rows, columns).
    ///   - drift: of this layer's inputs, with the Hessian's token weights.
    ///   - share: of the correction that is made; 0 for none.
    ///   - workers: the threads to work on; the result does not depend on them.
    /// - Returns: (rows, columns); `weights` itself where the Hessian has no factor.
    package func compensate(
        _ weights: Matrix, for drift: InputDrift, share: Float, workers: Workers
    ) -> Matrix {
        guard let factor, share != 0 else { return weights }
        precondition(drift.inputs.columns == columns && weights.columns == columns)
        let result = Matrix(rows: weights.rows, columns: columns)
        workers.forEachRange(of: weights.rows, length: 64) { range in
            let change = Matrix(rows: range.count, columns: columns)
            let ordered = Matrix(rows: range.count, columns: columns)
            func multiply(_ a: MatrixOperand, _ b: MatrixOperand, into target: Matrix) {
                Kernels.multiply(
                    a, b, into: target.pointer(toRow: 0), stride: columns, rows: range.count,
                    inner: columns, columns: columns)
            }
            func operand(_ matrix: Matrix, row: Int = 0, transposed: Bool = false) -> MatrixOperand
            {
                MatrixOperand(
                    matrix.pointer(toRow: row), stride: columns, transposed: transposed)
            }
            multiply(
                operand(weights, row: range.lowerBound), operand(drift.inputs), into: change)
            for (place, row) in range.enumerated() {
                let (from, to) = (change.row(place), ordered.row(place))
                let stream = drift.stream?.row(row)
                for (index, column) in order.enumerated() {
                    to[index] = from[column] + (stream?[column] ?? 0)
                }
            }
            // H⁻¹ = Uᵀ·U in the Hessian's order, and the factor is Uᵀ.
            multiply(operand(ordered), operand(factor), into: change)
            multiply(operand(change), operand(factor, transposed: true), into: ordered)
            for (place, row) in range.enumerated() {
                let (from, to, own) = (ordered.row(place), result.row(row), weights.row(row))
                for (index, column) in order.enumerated() {
                    to[column] = own[column] + share * from[index]
                }
            }
        }
        return result
    }
}
