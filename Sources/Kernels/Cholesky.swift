import CLAPACK

/// The leading minor at which a factorization found the matrix not positive definite, counted from 1.
package struct NotPositiveDefinite: Error, Sendable {
    package let minor: Int
}

/// A square matrix of `Double`, for factorizations: a Hessian's small eigenvalues drown in `Float`.
package final class DoubleMatrix: @unchecked Sendable {
    package let order: Int
    /// (order, order), row-major.
    package let elements: UnsafeMutableBufferPointer<Double>

    package init(order: Int) {
        self.order = order
        elements = .allocate(capacity: order * order)
        elements.initialize(repeating: 0)
    }

    deinit { elements.deallocate() }

    package subscript(row: Int, column: Int) -> Double {
        get { elements[row * order + column] }
        set { elements[row * order + column] = newValue }
    }

    /// Replaces a symmetric positive definite matrix A by the upper factor U of A = Uᵀ·U.
    ///
    /// Reads the upper triangle only; below the diagonal there are zeros afterwards.
    package func factorUpper() throws(NotPositiveDefinite) {
        // What is row-major and upper to us is column-major and lower to LAPACK: A = L·Lᵀ, L = Uᵀ.
        let order = Int32(self.order)
        let status = LAPACK.shared.factorize(
            LAPACK_COL_MAJOR, CChar(UInt8(ascii: "L")), order, elements.baseAddress, order)
        precondition(status >= 0, "LAPACK refused a factorization (argument \(-status))")
        guard status == 0 else { throw NotPositiveDefinite(minor: Int(status)) }
        for row in 0..<self.order {
            for column in 0..<row { self[row, column] = 0 }
        }
    }

    /// Replaces the upper factor that `factorUpper` left by its inverse, which is upper too.
    package func invertUpperTriangle() throws(NotPositiveDefinite) {
        let order = Int32(self.order)
        let status = LAPACK.shared.invertTriangle(
            LAPACK_COL_MAJOR, CChar(UInt8(ascii: "L")), CChar(UInt8(ascii: "N")), order,
            elements.baseAddress, order)
        precondition(status >= 0, "LAPACK refused an inversion (argument \(-status))")
        guard status == 0 else { throw NotPositiveDefinite(minor: Int(status)) }
    }
}
