import Kernels

/// How far the inputs of a layer are from what they were in the model before it was quantized.
///
/// With inputs x and residual stream r as they were, x̃ and r̃ as they are, and the tokens' weights w. What
/// was compared of the calibration text comes in two halves, so that what one half says can be tried on the
/// other.
package struct InputDrift: Sendable {
    /// Sums over half of the tokens that were compared, divided by the number of both halves' tokens.
    package struct Half: Sendable {
        /// Σ w·x̃·x̃ᵀ: (columns, columns).
        package let hessian: Matrix
        package let change: Change

        package init(hessian: Matrix, change: Change) {
            (self.hessian, self.change) = (hessian, change)
        }
    }

    package enum Change: Sendable {
        /// Σ w·(x − x̃)·x̃ᵀ: (columns, columns).
        case ofInputs(Matrix)
        /// Σ w·(r + W·x − r̃)·x̃ᵀ, (rows, columns), of a layer W whose result is added to the stream as it is.
        case ofStream(Matrix)

        package var sum: Matrix {
            switch self {
            case .ofInputs(let sum), .ofStream(let sum): sum
            }
        }
    }

    package let halves: [Half]
    /// Σ w·x̃·x̃ᵀ / Σ 1 over all calibration tokens, those too that were not compared: (columns, columns).
    package let hessian: Matrix

    package init(halves: [Half], hessian: Matrix) {
        (self.halves, self.hessian) = (halves, hessian)
    }
}

/// Weights that make up for what the layers before have lost.
///
/// Of all matrices V, V = W + Σ w·((r + W·x) − (r̃ + W·x̃))·x̃ᵀ·H⁻¹ minimizes Σ w·‖(r + W·x) − (r̃ + V·x̃)‖²,
/// damped. Without the stream this is the asymmetric calibration of GPTAQ (Li et al. 2025). Calibration text says only roughly what the correction should be, so it is shrunk: each
/// half of the text gives a correction, the other half says how much of it holds, and that tells how much of
/// the correction by all of the text is made.
package struct DriftCompensation {
    private let drift: InputDrift
    private let hessian: Hessian
    private let halves: [Hessian]
    private let workers: Workers

    /// - Parameters:
    ///   - drift: of the layer's inputs, with the Hessian's token weights.
    ///   - hessian: of the layer's inputs.
    ///   - workers: the threads to work on; the result does not depend on them.
    package init(_ drift: InputDrift, hessian: Hessian, workers: Workers) {
        (self.drift, self.hessian, self.workers) = (drift, hessian, workers)
        halves = drift.halves.map {
            Hessian(
                $0.hessian, dampingFraction: max(hessian.dampingFraction, 1e-6), order: .natural)
        }
    }

    /// - Parameter weights: W, (rows, columns).
    /// - Returns: (rows, columns), and the part of the correction that was made, from 0 to 1; `weights`
    ///   itself where a Hessian has no factor.
    package func applied(to weights: Matrix) -> (weights: Matrix, share: Float) {
        guard drift.halves.count == 2, hessian.factor != nil,
            halves.allSatisfy({ $0.factor != nil })
        else { return (weights, 0) }
        let slopes = drift.halves.map { slope(of: $0, weights) }
        var (gain, cost) = (0.0, 0.0)
        for (mine, other) in [(0, 1), (1, 0)] {
            let correction = solve(slopes[mine], halves[mine])
            let bent = Matrix(rows: weights.rows, columns: weights.columns)
            product(correction, drift.halves[other].hessian, into: bent)
            for index in correction.elements.indices {
                let change = Double(correction.elements[index])
                gain += change * Double(slopes[other].elements[index])
                cost += change * Double(bent.elements[index])
            }
        }
        guard cost > 0, gain > 0 else { return (weights, 0) }
        // The correction by all of the text is half as noisy as that by half of it.
        let share = min(gain / cost, 1)
        let wholeShare = Float(2 * share / (1 + share))
        let result = solve(slopes[0].sum(with: slopes[1]), hessian)
        for index in result.elements.indices {
            result.elements[index] =
                weights.elements[index] + wholeShare * result.elements[index]
        }
        return (result, wholeShare)
    }

    /// Σ w·((r + W·x) − (r̃ + W·x̃))·x̃ᵀ, or the same without the stream.
    private func slope(of half: InputDrift.Half, _ weights: Matrix) -> Matrix {
        let slope = Matrix(rows: weights.rows, columns: weights.columns)
        switch half.change {
        case .ofInputs(let sum):
            product(weights, sum, into: slope)
        case .ofStream(let sum):
            product(weights, half.hessian, into: slope)
            for index in slope.elements.indices {
                slope.elements[index] = sum.elements[index] - slope.elements[index]
            }
        }
        return slope
    }

    /// slope·H⁻¹: H⁻¹ = Uᵀ·U in the Hessian's order, and the factor is Uᵀ.
    private func solve(_ slope: Matrix, _ hessian: Hessian) -> Matrix {
        let ordered = Matrix(rows: slope.rows, columns: slope.columns)
        let result = Matrix(rows: slope.rows, columns: slope.columns)
        guard let factor = hessian.factor else { return result }
        for row in 0..<slope.rows {
            for (index, column) in hessian.order.enumerated() {
                ordered[row, index] = slope[row, column]
            }
        }
        product(ordered, factor, into: result)
        product(result, factor, transposed: true, into: ordered)
        for row in 0..<slope.rows {
            for (index, column) in hessian.order.enumerated() {
                result[row, column] = ordered[row, index]
            }
        }
        return result
    }

    private func product(
        _ a: Matrix, _ b: Matrix, transposed: Bool = false, into target: Matrix
    ) {
        let columns = b.columns
        workers.forEachRange(of: a.rows, length: 64) { range in
            Kernels.multiply(
                MatrixOperand(a.pointer(toRow: range.lowerBound), stride: a.columns),
                MatrixOperand(b.pointer(toRow: 0), stride: columns, transposed: transposed),
                into: target.pointer(toRow: range.lowerBound), stride: columns,
                rows: range.count, inner: columns, columns: columns)
        }
    }
}
