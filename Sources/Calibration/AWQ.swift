import BlockFormats
import Kernels
import Quantization
import Synchronization
import TensorIR
import Transforms

/// Activation-aware scales for the channels of a fold (Lin et al. 2023, section 3.2).
///
/// A weight that meets large inputs should be rounded more finely. Multiplying its column by s > 1 before
/// rounding, and dividing its inputs by the same, does that at the cost of its neighbours in the block.
/// The scales are s = m^α for the mean magnitudes m of the inputs; α is the one of a list at which the
/// layer's output errs least, tr(E·H·Eᵀ) for the weights' errors E and the inputs' Hessian H.
///
/// What clipping the paper adds is the scale search's own: it tries ranges narrower than a block's under
/// the same weights.
package struct AWQ: Sendable {
    /// Exponents that are tried, from 0 on in equal steps below 1.
    package var exponentCount = 20
    /// Rows of a matrix that are judged at most, evenly spread.
    package var judgedRowCount = 256

    package init() {}

    /// A matrix that reads the channels.
    struct Target {
        /// The rows that are judged, (rows, columns).
        let weights: Matrix
        let encoding: Encoding
    }

    /// The best scales that were found.
    struct Choice {
        let scales: [Float]
        let exponent: Float
        /// Of the output's squares, before and after scaling.
        let relativeErrorUnscaled: Double
        let relativeError: Double
    }

    /// The best scales of a fold's channels.
    ///
    /// - Parameters:
    ///   - fold: the channels.
    ///   - statistics: of the inputs that the targets multiply.
    ///   - targets: those that will be rounded; at least one.
    ///   - workers: the threads to work on; the result does not depend on them.
    /// - Returns: scales with 1 between the least and the largest, or none where nothing that is
    ///   finite reached the fold.
    /// - Throws: `QuantizationError` for a weight that is not finite.
    func search(
        _ fold: ChannelFold, statistics: ChannelStatistics, targets: [Target], workers: Workers
    ) throws(QuantizationError) -> Choice? {
        let magnitudes = statistics.magnitudes(of: fold)
        guard let hessian = statistics.hessian, magnitudes.contains(where: { $0 > 0 }),
            hessian.elements.allSatisfy(\.isFinite)
        else { return nil }
        let reference = targets.reduce(0) { $0 + outputEnergy(of: $1.weights, hessian) }
        guard reference > 0 else { return nil }

        let errors = Mutex([Double](repeating: .infinity, count: exponentCount))
        try workers.forEach(exponentCount) { index throws(QuantizationError) in
            let scales = AWQ.scales(magnitudes, exponent: exponent(index))
            let columns = fold.channelOfColumn.map { scales[$0] }
            var error = 0.0
            for target in targets {
                error += try outputError(of: target, scaledBy: columns, hessian)
            }
            errors.withLock { $0[index] = error }
        }
        let found = errors.withLock { $0 }
        // Of equal errors the least scaling: first in the list.
        let best = found.indices.min { found[$0] < found[$1] } ?? 0
        return Choice(
            scales: AWQ.scales(magnitudes, exponent: exponent(best)), exponent: exponent(best),
            relativeErrorUnscaled: found[0] / reference, relativeError: found[best] / reference)
    }

    private func exponent(_ index: Int) -> Float { Float(index) / Float(exponentCount) }

    /// m^α over the geometric mean of its extremes.
    static func scales(_ magnitudes: [Float], exponent: Float) -> [Float] {
        let mean = magnitudes.reduce(0, +) / Float(max(1, magnitudes.count))
        // A channel that the text never used could be shrunk without end; it is not.
        let powers = magnitudes.map { power(max($0, 1e-4 * mean), exponent) }
        let center = ((powers.max() ?? 1) * (powers.min() ?? 1)).squareRoot()
        return powers.map { $0 / center }
    }

    private func outputError(
        of target: Target, scaledBy columns: [Float], _ hessian: Matrix
    ) throws(QuantizationError) -> Double {
        let weights = target.weights
        let scaled = Matrix(rows: weights.rows, columns: weights.columns)
        for row in 0..<weights.rows {
            let (from, to) = (weights.row(row), scaled.row(row))
            for column in columns.indices { to[column] = from[column] * columns[column] }
        }
        let importance = columns.indices.map {
            max(0, hessian[$0, $0]) / (columns[$0] * columns[$0])
        }
        let rounded = try RoundToNearest().quantize(
            scaled, to: target.encoding, importance: importance, workers: .current
        ).decoded
        for row in 0..<weights.rows {
            let (from, to, error) = (weights.row(row), rounded.row(row), scaled.row(row))
            for column in columns.indices {
                error[column] = to[column] / columns[column] - from[column]
            }
        }
        return outputEnergy(of: scaled, hessian)
    }

    /// tr(W·H·Wᵀ): the squared outputs of W, averaged over the inputs and summed over the rows.
    private func outputEnergy(of weights: Matrix, _ hessian: Matrix) -> Double {
        let columns = weights.columns
        let product = Matrix(rows: weights.rows, columns: columns)
        multiply(
            MatrixOperand(weights.pointer(toRow: 0), stride: columns),
            MatrixOperand(hessian.pointer(toRow: 0), stride: columns),
            into: product.pointer(toRow: 0), stride: columns, rows: weights.rows, inner: columns,
            columns: columns)
        return zip(product.elements, weights.elements).reduce(0) {
            $0 + Double($1.0) * Double($1.1)
        }
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

private func power(_ base: Float, _ exponent: Float) -> Float { powf(base, exponent) }
