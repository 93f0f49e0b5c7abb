import Kernels

/// The order in which GPTQ rounds the columns of a layer.
public enum ColumnOrder: String, Sendable, Hashable, CaseIterable {
    /// Columns whose inputs are large come first, while there are still many others to make up for
    /// them (`desc_act`). Blocks stay where they are; their scales are chosen before the first
    /// column.
    case activation
    /// From left to right. The scale of a block is chosen when it is reached, on corrected weights.
    case natural
}

/// What a layer's inputs say about which errors in its weights matter, ready for use.
///
/// The Hessian of a layer's squared output error is H = Σ w·x·xᵀ / Σ 1 over calibration tokens with
/// inputs x and weights w. Layers with the same inputs share one. Making it ready costs a
/// factorization.
package final class Hessian: Sendable {
    /// What is damped by, where nothing else is asked for: with less, more is lost on text that is
    /// unlike that of the calibration.
    package static let usualDampingFraction: Float = 0.05

    package let columns: Int
    /// H with `damping` on its diagonal, and one on the diagonal of dead columns: (columns,
    /// columns).
    let damped: Matrix
    /// What was added to each diagonal element.
    let damping: Float
    /// `damping` as a fraction of the mean diagonal; 0 where there is no factor.
    package let dampingFraction: Float
    /// mean of w·x² for each column.
    package let diagonal: [Float]
    /// Columns whose input was always zero.
    package let deadColumns: [Int]
    /// The column that is rounded first, second, ….
    let order: [Int]
    /// Uᵀ in that order: (columns, columns), lower. Uᵀ·U is the inverse of the damped Hessian.
    let factor: Matrix?
    /// Why there is no factor, and GPTQ has to do without.
    package let fallback: GPTQFallback?

    /// Takes in a Hessian; `hessian` itself is left alone.
    ///
    /// When the damped matrix cannot be factored, the damping is raised tenfold until it can, at
    /// most to `largestDampingFraction`. After that there is no factor, and `fallback` says so.
    ///
    /// - Parameters:
    ///   - hessian: symmetric, (columns, columns).
    ///   - dampingFraction: of the mean of the diagonal; positive.
    ///   - largestDampingFraction: where raising the damping ends.
    ///   - order: in which columns are rounded.
    package init(
        _ hessian: Matrix, dampingFraction: Float = usualDampingFraction,
        largestDampingFraction: Float = 1, order: ColumnOrder = .activation
    ) {
        precondition(hessian.rows == hessian.columns && dampingFraction > 0)
        columns = hessian.columns
        let columns = hessian.columns
        let diagonal = (0..<columns).map { hessian[$0, $0] }
        let damped = Matrix(rows: columns, columns: columns)
        self.damped = damped

        guard hessian.elements.allSatisfy(\.isFinite) else {
            self.diagonal = [Float](repeating: 1, count: columns)
            (deadColumns, damping, self.dampingFraction) = ([], 0, 0)
            (self.order, factor, fallback) = (Array(0..<columns), nil, .hessianNotFinite)
            return
        }
        _ = damped.elements.update(fromContentsOf: hessian.elements)
        let deadColumns = diagonal.indices.filter { diagonal[$0] == 0 }
        for dead in deadColumns {
            // In a Gram matrix these are zero already; a factorization must not depend on that.
            for other in 0..<columns { (damped[dead, other], damped[other, dead]) = (0, 0) }
            damped[dead, dead] = 1
        }
        (self.diagonal, self.deadColumns) = (diagonal, deadColumns)
        guard deadColumns.count < columns else {
            (damping, self.dampingFraction) = (0, 0)
            (self.order, factor, fallback) = (Array(0..<columns), nil, .noActivations)
            return
        }
        self.order =
            order == .natural
            ? Array(0..<columns)
            : diagonal.indices.sorted { (diagonal[$1], $0) < (diagonal[$0], $1) }

        // Dead columns are left out of the mean: their diagonal is ours, in nobody's unit.
        let live = columns - deadColumns.count
        let mean = Float(diagonal.reduce(0.0) { $0 + Double($1) } / Double(live))
        var fraction = dampingFraction
        var factor = Self.factor(damped, damping: fraction * mean, order: self.order)
        while factor == nil, fraction < largestDampingFraction {
            // In double precision, so that 0.05 becomes 0.5, and not its neighbour.
            fraction = min(Float(Double(fraction) * 10), largestDampingFraction)
            factor = Self.factor(damped, damping: fraction * mean, order: self.order)
        }
        damping = fraction * mean
        for column in 0..<columns { damped[column, column] += fraction * mean }
        self.factor = factor
        self.dampingFraction = factor == nil ? 0 : fraction
        fallback = factor == nil ? .hessianNotPositiveDefinite(dampingFraction: fraction) : nil
    }

    /// Uᵀ for (P·(H + damping)·Pᵀ)⁻¹ = Uᵀ·U, or nil where there is no such U.
    ///
    /// With the order reversed, H = Fᵀ·F for an upper F, so in the right order H = M·Mᵀ for the
    /// upper M = J·Fᵀ·J, where J reverses. Then H⁻¹ = M⁻ᵀ·M⁻¹, so U = M⁻¹ and Uᵀ = J·F⁻¹·J: the
    /// elements of F⁻¹ backwards. Half the work of inverting H and factoring the inverse, and no
    /// loss of precision on the way.
    static func factor(_ hessian: Matrix, damping: Float, order: [Int]) -> Matrix? {
        let columns = order.count
        let reversed = DoubleMatrix(order: columns)
        for (row, source) in order.reversed().enumerated() {
            guard let start = reversed.elements.baseAddress else { break }
            let (from, to) = (hessian.row(source), start + row * columns)
            for (column, sourceColumn) in order.reversed().enumerated() {
                to[column] = Double(from[sourceColumn])
            }
            to[row] += Double(damping)
        }
        do {
            try reversed.factorUpper()
            try reversed.invertUpperTriangle()
        } catch {
            return nil
        }
        let factor = Matrix(rows: columns, columns: columns)
        let count = factor.elements.count
        for index in 0..<count {
            factor.elements[index] = Float(reversed.elements[count - 1 - index])
        }
        return factor
    }
}
