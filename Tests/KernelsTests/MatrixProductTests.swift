import Kernels
import TestSupport
import Testing

/// Both sum the same products in single precision; the bound is that of any order of addition.
private func roundingBound(inner: Int) -> Float { Float(inner) * .ulpOfOne * 8 }

@Test(arguments: [(1, 1, 1), (3, 5, 7), (64, 33, 96), (1, 576, 192), (130, 64, 257)])
func productMatchesItsDefinition(rows: Int, inner: Int, columns: Int) {
    var generator = SeededGenerator(seed: UInt64(rows * 1000 + columns))
    let (a, b) = (generator.normals(rows * inner), generator.normals(inner * columns))
    for (isATransposed, isBTransposed) in [(false, false), (true, false), (false, true)] {
        let first = MatrixOperandPair(a, rows, inner, isATransposed)
        let second = MatrixOperandPair(b, inner, columns, isBTransposed)
        let start = generator.normals(rows * columns)
        let (fast, slow) = (
            Matrix(rows: rows, columns: columns, start), Matrix(rows: rows, columns: columns, start)
        )
        multiply(
            first.operand, second.operand, into: fast.pointer(toRow: 0), stride: columns,
            rows: rows,
            inner: inner, columns: columns, scale: 0.5, keep: 1)
        multiplyReference(
            first.operand, second.operand, into: slow.pointer(toRow: 0), stride: columns,
            rows: rows, inner: inner, columns: columns, scale: 0.5, keep: 1)
        for (x, y) in zip(fast.elements, slow.elements) {
            #expect(abs(x - y) <= roundingBound(inner: inner) * Float(inner).squareRoot() + 1e-6)
        }
    }
}

/// A matrix stored as it is read or transposed.
private final class MatrixOperandPair {
    let matrix: Matrix
    let isTransposed: Bool

    init(_ values: [Float], _ rows: Int, _ columns: Int, _ isTransposed: Bool) {
        self.isTransposed = isTransposed
        matrix =
            isTransposed
            ? Matrix(rows: columns, columns: rows, values)
            : Matrix(rows: rows, columns: columns, values)
    }

    var operand: MatrixOperand {
        MatrixOperand(matrix.pointer(toRow: 0), stride: matrix.columns, transposed: isTransposed)
    }
}

@Test(arguments: [1, 2, 3, 8], [false, true])
func gramIsTheSameForAnyThreadCount(threadCount: Int, isRounded: Bool) {
    var generator = SeededGenerator(seed: 7)
    let (tokens, columns) = (700, 500)
    let factors = (0..<tokens).map { Float($0 % 3) }
    let x = Matrix(rows: tokens, columns: columns, generator.normals(tokens * columns))
    let (one, many) = (
        Matrix(rows: columns, columns: columns), Matrix(rows: columns, columns: columns)
    )
    for (gram, workers) in [
        (one, Workers(threadCount: 1)), (many, Workers(threadCount: threadCount)),
    ] {
        accumulateGram(
            of: UnsafeBufferPointer(x.elements), factors: factors, into: gram,
            panels: GramPanels(columns: columns, isRounded: isRounded), workers: workers)
        mirrorGram(gram, workers: .current)
    }
    #expect(one.elements.elementsEqual(many.elements))

    func factor(_ row: Int, _ column: Int) -> Double {
        let value = factors[row] * x[row, column]
        let rounded = UInt32(BFloat16.roundedBits(value)) << 16
        return Double(isRounded ? Float(bitPattern: rounded) : value)
    }
    let exact = (0..<tokens).reduce(0.0) { $0 + factor($1, 3) * factor($1, 499) }
    #expect(abs(Double(one[3, 499]) - exact) < Double(tokens) * 1e-6)
    #expect(one[3, 499] == one[499, 3])
}

@Test func factorizationGivesBackTheMatrix() throws {
    let order = 20
    var generator = SeededGenerator(seed: 11)
    let x = Matrix(rows: 50, columns: order, generator.normals(50 * order))
    let original = DoubleMatrix(order: order)
    let factor = DoubleMatrix(order: order)
    for row in 0..<order {
        for column in 0..<order {
            let sum = (0..<50).reduce(0.0) { $0 + Double(x[$1, row]) * Double(x[$1, column]) }
            (original[row, column], factor[row, column]) = (sum, sum)
        }
    }
    try factor.factorUpper()
    for row in 0..<order {
        for column in 0..<order {
            let product = (0..<order).reduce(0.0) { $0 + factor[$1, row] * factor[$1, column] }
            #expect(abs(product - original[row, column]) < 1e-9 * original[0, 0])
            if column < row { #expect(factor[row, column] == 0) }
        }
    }
}

@Test func factorizationRefusesWhatIsNotPositiveDefinite() {
    let matrix = DoubleMatrix(order: 3)
    (matrix[0, 0], matrix[1, 1], matrix[2, 2]) = (1, -1, 1)
    #expect(throws: NotPositiveDefinite.self) { try matrix.factorUpper() }
}
