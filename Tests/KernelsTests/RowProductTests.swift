import Kernels
import TestSupport
import Testing

/// Both sum the same products in single precision; the bound is that of any order of addition.
private func roundingBound(inner: Int) -> Float {
    Float(inner) * .ulpOfOne * 8 * Float(inner).squareRoot() + 1e-6
}

private func product(
    _ a: Matrix, rows: Range<Int>, _ b: Matrix, transposed: Bool, adding: Bool = false
) -> Matrix {
    let columns = transposed ? b.rows : b.columns
    let result = Matrix(
        rows: rows.count, columns: columns, (0..<rows.count * columns).map { Float($0 % 5) })
    multiplyRows(
        MatrixOperand(a.pointer(toRow: rows.lowerBound), stride: a.columns),
        MatrixOperand(b.pointer(toRow: 0), stride: b.columns, transposed: transposed),
        into: result.pointer(toRow: 0), stride: columns, rows: rows.count, inner: a.columns,
        columns: columns, scale: 0.5, adding: adding)
    return result
}

@Test(
    arguments: [(1, 1, 1), (3, 45, 7), (fewRows, 576, 20), (fewRows + 1, 64, 33)], [true, false])
func rowProductMatchesItsDefinition(shape: (rows: Int, inner: Int, columns: Int), adding: Bool) {
    var generator = SeededGenerator(seed: UInt64(shape.inner))
    let a = Matrix(
        rows: shape.rows, columns: shape.inner, generator.normals(shape.rows * shape.inner))
    let values = generator.normals(shape.inner * shape.columns)
    for transposed in [true, false] {
        let b =
            transposed
            ? Matrix(rows: shape.columns, columns: shape.inner, values)
            : Matrix(rows: shape.inner, columns: shape.columns, values)
        let fast = product(a, rows: 0..<shape.rows, b, transposed: transposed, adding: adding)
        let slow = Matrix(
            rows: shape.rows, columns: shape.columns,
            (0..<shape.rows * shape.columns).map { Float($0 % 5) })
        multiplyReference(
            MatrixOperand(a.pointer(toRow: 0), stride: a.columns),
            MatrixOperand(b.pointer(toRow: 0), stride: b.columns, transposed: transposed),
            into: slow.pointer(toRow: 0), stride: shape.columns, rows: shape.rows,
            inner: shape.inner, columns: shape.columns, scale: 0.5, keep: adding ? 1 : 0)
        for (x, y) in zip(fast.elements, slow.elements) {
            #expect(abs(x - y) <= roundingBound(inner: shape.inner))
        }
    }
}

@Test(arguments: [true, false]) func aRowHasTheSameBitsInAnyCompany(transposed: Bool) {
    var generator = SeededGenerator(seed: 11)
    let a = Matrix(rows: fewRows, columns: 100, generator.normals(fewRows * 100))
    let b = Matrix(rows: 100, columns: 100, generator.normals(100 * 100))
    let together = product(a, rows: 0..<fewRows, b, transposed: transposed)
    for row in 0..<fewRows {
        let alone = product(a, rows: row..<row + 1, b, transposed: transposed)
        #expect(Array(alone.elements) == Array(together.row(row)))
    }
}

@Test(arguments: [1, 31, 32, 33, 64, 100, 577])
func scaledRowsAreAddedOneAfterTheOther(columns: Int) {
    var generator = SeededGenerator(seed: UInt64(columns))
    let inner = 7
    let a = Matrix(rows: 1, columns: inner, generator.normals(inner))
    let b = Matrix(rows: inner, columns: columns, generator.normals(inner * columns))
    let result = product(a, rows: 0..<1, b, transposed: false, adding: true)
    for column in 0..<columns {
        var expected = Float(column % 5)
        for k in 0..<inner { expected += 0.5 * a[0, k] * b[k, column] }
        #expect(result[0, column].bitPattern == expected.bitPattern)
    }
}

@Test(arguments: [0, 1, 31, 32, 33, 64, 100, 577])
func dotProductsHaveTheBitsOfTheirDefinition(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let a = Matrix(rows: 1, columns: max(1, count), generator.normals(max(1, count)))
    let b = Matrix(rows: 3, columns: max(1, count), generator.normals(3 * max(1, count)))
    let result = Matrix(rows: 1, columns: 3)
    multiplyRows(
        MatrixOperand(a.pointer(toRow: 0), stride: a.columns),
        MatrixOperand(b.pointer(toRow: 0), stride: b.columns, transposed: true),
        into: result.pointer(toRow: 0), stride: 3, rows: 1, inner: count, columns: 3)
    for row in 0..<3 {
        let expected = dotReference(
            UnsafeBufferPointer(rebasing: a.elements[..<count]),
            UnsafeBufferPointer(rebasing: b.row(row)[..<count]))
        #expect(result[0, row].bitPattern == expected.bitPattern)
    }
}
