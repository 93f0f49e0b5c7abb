import Kernels
import TestSupport
import Testing

@Test(arguments: [(1, 1), (8, 8), (16, 576), (7, 9), (64, 33), (23, 40)])
func transpositionMatchesItsDefinition(shape: (rows: Int, columns: Int)) {
    var generator = SeededGenerator(seed: UInt64(shape.columns))
    let (stride, targetStride) = (shape.columns + 3, shape.rows + 5)
    let source = Matrix(rows: shape.rows, columns: stride, generator.normals(shape.rows * stride))
    // Between the columns nothing may be written.
    let fast = Matrix(rows: shape.columns, columns: targetStride)
    let slow = Matrix(rows: shape.columns, columns: targetStride)
    let areFinite = transpose(
        source.pointer(toRow: 0), stride: stride, rows: shape.rows, columns: shape.columns,
        into: fast.pointer(toRow: 0), stride: targetStride)
    #expect(areFinite)
    #expect(
        transposeReference(
            source.pointer(toRow: 0), stride: stride, rows: shape.rows, columns: shape.columns,
            into: slow.pointer(toRow: 0), stride: targetStride))
    #expect(Array(fast.elements) == Array(slow.elements))
}

/// In every place of a block and of what is left beside the blocks.
@Test(arguments: [Float.nan, .infinity, -.infinity])
func transpositionFindsWhatIsNotFinite(number: Float) {
    let (rows, columns) = (11, 13)
    let target = Matrix(rows: columns, columns: rows)
    for place in 0..<rows * columns {
        let source = Matrix(rows: rows, columns: columns)
        source.elements[place] = number
        let areFinite = transpose(
            source.pointer(toRow: 0), stride: columns, rows: rows, columns: columns,
            into: target.pointer(toRow: 0), stride: rows)
        #expect(!areFinite)
        let found = target[place % columns, place / columns]
        #expect(found.bitPattern == number.bitPattern)
    }
}

@Test func viewsShareTheirMatrixElements() {
    let matrix = Matrix(rows: 4, columns: 3, (0..<12).map(Float.init))
    let view = matrix.view(ofRows: 1..<3)
    #expect((view.rows, view.columns) == (2, 3))
    #expect(Array(view.elements) == [3, 4, 5, 6, 7, 8])
    view[1, 2] = -1
    #expect(matrix[2, 2] == -1)
}
