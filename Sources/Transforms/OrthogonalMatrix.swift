import Kernels

/// A random orthogonal matrix that spreads every coordinate over all others.
///
/// A Hadamard matrix does that evenly: each of its elements is ±1/√n. Random signs before it make it
/// different for every seed (Chee et al. 2023; Ashkboos et al. 2024). Where there is none of the order, an
/// orthogonal basis of random vectors has to do.
package struct OrthogonalMatrix: Sendable {
    /// R, (order, order): vectors are rows and become x·R.
    package let elements: Matrix
    package let isHadamard: Bool

    package var order: Int { elements.rows }

    /// - Parameters:
    ///   - order: rows and columns.
    ///   - seed: the same matrix for the same number.
    ///   - keepsMean: whether the vector of ones stays as it is, and so the mean of every vector.
    package init(order: Int, seed: UInt64, keepsMean: Bool = false) {
        precondition(order > 0)
        var generator = SplitMix64(seed: seed)
        let hadamard = HadamardMatrix.make(order: order)
        isHadamard = hadamard != nil
        let basis =
            hadamard
            ?? Self.randomBasis(order: order, startingWithOnes: keepsMean, &generator)
        if keepsMean { basis.makeFirstRowPositive() }
        let length = hadamard == nil ? 1 : Float(order).squareRoot()
        for index in basis.elements.indices { basis.elements[index] /= length }
        // The first vector of the basis keeps its direction where that is the one of ones.
        let signed = Matrix(rows: order, columns: order, basis.elements)
        for row in (keepsMean ? 1 : 0)..<order where generator.next() & 1 == 1 {
            for column in 0..<order { signed[row, column].negate() }
        }
        guard keepsMean else {
            elements = signed
            return
        }
        // basisᵀ · signs · basis: ones become √n times the first coordinate, which no sign touches, and
        // ones again.
        elements = Matrix(rows: order, columns: order)
        multiply(
            MatrixOperand(basis.pointer(toRow: 0), stride: order, transposed: true),
            MatrixOperand(signed.pointer(toRow: 0), stride: order),
            into: elements.pointer(toRow: 0), stride: order, rows: order, inner: order,
            columns: order)
    }

    /// Rows of unit length, orthogonal to each other: Gram and Schmidt, each row twice.
    private static func randomBasis(
        order: Int, startingWithOnes: Bool, _ generator: inout SplitMix64
    ) -> Matrix {
        var rows: [[Double]] = []
        while rows.count < order {
            let isOnes = startingWithOnes && rows.isEmpty
            var row = (0..<order).map { _ in isOnes ? 1 : generator.nextCentered() }
            for _ in 0..<2 {
                for other in rows {
                    let overlap = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
                    for index in row.indices { row[index] -= overlap * other[index] }
                }
            }
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            // A vector that lies among those before it says nothing new; the next one will.
            guard length > 1e-6 else { continue }
            rows.append(row.map { $0 / length })
        }
        return Matrix(rows: order, columns: order, rows.joined().map { Float($0) })
    }
}

extension Matrix {
    /// Turns columns around so that the first row is not negative anywhere.
    fileprivate func makeFirstRowPositive() {
        for column in 0..<columns where self[0, column] < 0 {
            for row in 0..<rows { self[row, column].negate() }
        }
    }
}

extension SplitMix64 {
    /// About normal: the sum of twelve numbers between −1/2 and 1/2.
    fileprivate mutating func nextCentered() -> Double {
        (0..<12).reduce(0.0) { sum, _ in sum + uniform() - 0.5 }
    }
}
