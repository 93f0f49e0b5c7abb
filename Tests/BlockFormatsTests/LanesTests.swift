import BlockFormats
import Kernels
import TestSupport
import Testing

/// Factors lie side by side, as in a row of a matrix, or far apart, as in a column.
@Test(arguments: [0, 1, 5, 64], [1, 7])
func productsOfLanesHaveTheBitsOfTheirDefinition(rows: Int, stride: Int) {
    var generator = SeededGenerator(seed: UInt64(rows * 10 + stride))
    let factors = Matrix(rows: 1, columns: 64 * stride, generator.normals(64 * stride))
    let other = Matrix(rows: 1, columns: Tile.lanes, generator.normals(Tile.lanes))
    let sums = Matrix(
        rows: 65, columns: Tile.lanes, generator.normals(65 * Tile.lanes))
    let expected = sums.copied()
    for sign: Float in [-1, 1] {
        sums.lanes(0).addProducts(
            factors.pointer(toRow: 0), stride: stride, sign: sign, of: other.lanes(0), rows: rows)
        expected.lanes(0).addProductsReference(
            factors.pointer(toRow: 0), stride: stride, sign: sign, of: other.lanes(0), rows: rows)
    }
    withExtendedLifetime((factors, other)) {
        #expect(sums.elements.elementsEqual(expected.elements))
    }
}
