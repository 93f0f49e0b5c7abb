import Kernels
import Synchronization

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
        let dampingFraction = max(hessian.dampingFraction, 1e-6)
        let ready = Mutex([Hessian?](repeating: nil, count: drift.halves.count))
        workers.forEach(drift.halves.count) { index in
            let half = Hessian(
                drift.halves[index].hessian, dampingFraction: dampingFraction, order: .natural)
            ready.withLock { $0[index] = half }
        }
        halves = ready.withLock { $0.compactMap(\.self) }
    }

    /// - Parameter weights: W, (rows, columns).
    /// - Returns: (rows, columns), and the part of the correction that was made, from 0 to 1; `weights`
    ///   itself where a Hessian has no factor.
    package func applied(to weights: Matrix) -> (weights: Matrix, share: Float) {
        let factors = halves.compactMap(\.factor)
        guard let factor = hessian.factor, drift.halves.count == 2, factors.count == 2 else {
            return (weights, 0)
        }
        let slopes = drift.halves.map { slope(of: $0, weights) }
        var (gain, cost) = (0.0, 0.0)
        for (mine, other) in [(0, 1), (1, 0)] {
            let correction = solve(slopes[mine], halves[mine], factors[mine])
            let bent = Matrix(unsetRows: weights.rows, columns: weights.columns)
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
        let result = solve(slopes[0].sum(with: slopes[1]), hessian, factor)
        for index in result.elements.indices {
            result.elements[index] =
                weights.elements[index] + wholeShare * result.elements[index]
        }
        return (result, wholeShare)
    }

    /// Σ w·((r + W·x) − (r̃ + W·x̃))·x̃ᵀ, or the same without the stream.
    private func slope(of half: InputDrift.Half, _ weights: Matrix) -> Matrix {
        let slope = Matrix(unsetRows: weights.rows, columns: weights.columns)
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
    private func solve(_ slope: Matrix, _ hessian: Hessian, _ factor: Matrix) -> Matrix {
        let ordered = Matrix(unsetRows: slope.rows, columns: slope.columns)
        let result = Matrix(unsetRows: slope.rows, columns: slope.columns)
        forEachRow(of: slope) { row in
            let (from, to) = (slope.row(row), ordered.row(row))
            for (index, column) in hessian.order.enumerated() { to[index] = from[column] }
        }
        product(ordered, factor, .lower, into: result)
        product(result, factor, .lowerTransposed, into: ordered)
        forEachRow(of: slope) { row in
            let (from, to) = (ordered.row(row), result.row(row))
            for (index, column) in hessian.order.enumerated() { to[column] = from[index] }
        }
        return result
    }

    private func forEachRow(of matrix: Matrix, _ body: @Sendable (Int) -> Void) {
        workers.forEachRange(of: matrix.rows, length: Self.rowsPerItem) { $0.forEach(body) }
    }

    private static let rowsPerItem = 64
    /// Columns that a product with a triangle has at a time: what is zero for all of them is left out.
    private static let columnsPerPart = 192

    /// What a factor of a product has besides zeros.
    private enum Shape {
        case full, lower, lowerTransposed
    }

    private func product(_ a: Matrix, _ b: Matrix, _ shape: Shape = .full, into target: Matrix) {
        let columns = b.columns
        let width = shape == .full ? columns : Self.columnsPerPart
        workers.forEachRange(of: a.rows, length: Self.rowsPerItem) { rows in
            for start in stride(from: 0, to: columns, by: width) {
                let part = start..<min(start + width, columns)
                let inner =
                    switch shape {
                    case .full: 0..<b.rows
                    case .lower: start..<b.rows
                    case .lowerTransposed: 0..<part.upperBound
                    }
                let isTransposed = shape == .lowerTransposed
                Kernels.multiply(
                    MatrixOperand(
                        a.pointer(toRow: rows.lowerBound, column: inner.lowerBound),
                        stride: a.columns),
                    MatrixOperand(
                        isTransposed
                            ? b.pointer(toRow: start, column: inner.lowerBound)
                            : b.pointer(toRow: inner.lowerBound, column: start),
                        stride: columns, transposed: isTransposed),
                    into: target.pointer(toRow: rows.lowerBound, column: start), stride: columns,
                    rows: rows.count, inner: inner.count, columns: part.count)
            }
        }
    }
}
