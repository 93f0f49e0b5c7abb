import Kernels

/// Matrices of ±1 whose rows are orthogonal to each other (Hadamard 1893; Paley 1933).
enum HadamardMatrix {
    /// A Hadamard matrix of this order, (order, order), or nil where none of the constructions has one.
    ///
    /// Sylvester doubles a matrix; Paley's two constructions make one of order q + 1 for a prime
    /// q ≡ 3 mod 4, and of order 2(q + 1) for a prime q ≡ 1 mod 4. 576 = 2⁴ · 36 is 36 = 2(17 + 1),
    /// doubled four times.
    static func make(order: Int) -> Matrix? {
        guard order > 0 else { return nil }
        // The smallest start that doubles to the order.
        var start = order
        while start.isMultiple(of: 2) { start /= 2 }
        while start <= order {
            if let seed = start == 1 ? Matrix(rows: 1, columns: 1, [1]) : paley(order: start) {
                var matrix = seed
                while matrix.rows < order { matrix = doubled(matrix) }
                return matrix
            }
            start *= 2
        }
        return nil
    }

    /// | H  H |
    /// | H −H |
    private static func doubled(_ matrix: Matrix) -> Matrix {
        let order = matrix.rows
        let result = Matrix(rows: 2 * order, columns: 2 * order)
        for row in 0..<2 * order {
            for column in 0..<2 * order {
                let sign: Float = row >= order && column >= order ? -1 : 1
                result[row, column] = sign * matrix[row % order, column % order]
            }
        }
        return result
    }

    private static func paley(order: Int) -> Matrix? {
        if order % 4 == 0, isPrime(order - 1) {
            // I + S, S being skew for a prime of this kind.
            let matrix = bordered(prime: order - 1, corner: -1)
            for index in 0..<order { matrix[index, index] += 1 }
            return matrix
        }
        let prime = order / 2 - 1
        guard order % 4 == 0, prime % 4 == 1, isPrime(prime) else { return nil }
        let symmetric = bordered(prime: prime, corner: 1)
        let result = Matrix(rows: order, columns: order)
        for row in 0..<order {
            for column in 0..<order {
                let (i, j) = (row / 2, column / 2)
                let isLast = row % 2 == 1 && column % 2 == 1
                let isFirst = row % 2 == 0 && column % 2 == 0
                result[row, column] =
                    i == j ? (isFirst ? 1 : -1) : symmetric[i, j] * (isLast ? -1 : 1)
            }
        }
        return result
    }

    /// The Legendre symbols of the differences, with a border of ones; −1 below it for `corner` −1.
    private static func bordered(prime: Int, corner: Float) -> Matrix {
        var symbols = [Float](repeating: -1, count: prime)
        symbols[0] = 0
        for number in 1..<prime { symbols[number * number % prime] = 1 }
        let matrix = Matrix(rows: prime + 1, columns: prime + 1)
        for index in 1...prime {
            (matrix[0, index], matrix[index, 0]) = (1, corner)
            for other in 1...prime {
                matrix[index, other] = symbols[(index - other + prime) % prime]
            }
        }
        return matrix
    }

    private static func isPrime(_ number: Int) -> Bool {
        guard number > 1 else { return false }
        var divisor = 2
        while divisor * divisor <= number {
            guard !number.isMultiple(of: divisor) else { return false }
            divisor += 1
        }
        return true
    }
}
