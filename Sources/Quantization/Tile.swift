import BlockFormats
import Kernels

extension Tile {
    static func count(rows: Int) -> Int { (rows + lanes - 1) / lanes }

    /// The rows of a matrix that tile number `index` covers.
    static func rows(_ index: Int, of rowCount: Int) -> Range<Int> {
        index * lanes..<min(rowCount, (index + 1) * lanes)
    }

    /// Turns `rows` of `weights` into a tile.
    /// - Throws: `QuantizationError.nonFiniteWeight`, of the first such weight.
    static func gather(
        _ rows: Range<Int>, of weights: Matrix
    ) throws(QuantizationError) -> Matrix {
        let tile = Matrix(rows: weights.columns, columns: lanes)
        try gather(rows, of: weights, columns: 0..<weights.columns, into: tile)
        return tile
    }

    /// Turns some columns of `rows` of `weights` into a tile, whose other lanes stay as they are.
    /// - Throws: `QuantizationError.nonFiniteWeight`, of the first such weight.
    static func gather(
        _ rows: Range<Int>, of weights: Matrix, columns: Range<Int>, into tile: Matrix
    ) throws(QuantizationError) {
        guard !columns.isEmpty, !rows.isEmpty else { return }
        let target = tile.pointer(toRow: 0)
        let source = weights.pointer(toRow: rows.lowerBound, column: columns.lowerBound)
        let (quadRows, quadColumns) = (rows.count / 4 * 4, columns.count / 4 * 4)
        // x − x is zero for finite numbers only, and what is not zero stays in a sum.
        var strangeness = SIMD4<Float>.zero
        // A few columns of all rows at a time, so that what they are written to stays at hand.
        for start in stride(from: 0, to: quadColumns, by: 32) {
            for lane in stride(from: 0, to: quadRows, by: 4) {
                for column in stride(from: start, to: min(start + 32, quadColumns), by: 4) {
                    strangeness += transpose(
                        source + lane * weights.columns + column, weights.columns,
                        into: target + column * lanes + lane)
                }
            }
        }
        for lane in 0..<rows.count {
            for column in lane < quadRows ? quadColumns..<columns.count : 0..<columns.count {
                let value = source[lane * weights.columns + column]
                target[column * lanes + lane] = value
                strangeness[0] += value - value
            }
        }
        guard strangeness != .zero else { return }
        for row in rows {
            guard let column = weights.row(row).firstIndex(where: { !$0.isFinite }) else {
                continue
            }
            throw QuantizationError.nonFiniteWeight(row: row, column: column)
        }
    }

    /// Turns four times four numbers, from rows `stride` apart to columns that are `lanes` apart.
    /// - Returns: sums of the numbers less themselves.
    @inline(__always)
    private static func transpose(
        _ source: UnsafePointer<Float>, _ stride: Int, into target: UnsafeMutablePointer<Float>
    ) -> SIMD4<Float> {
        func row(_ index: Int) -> SIMD4<Float> {
            UnsafeRawPointer(source + index * stride).loadUnaligned(as: SIMD4<Float>.self)
        }
        let (a, b, c, d) = (row(0), row(1), row(2), row(3))
        let (ab, cd) = (SIMD8(lowHalf: a, highHalf: b), SIMD8(lowHalf: c, highHalf: d))
        let even = SIMD8(lowHalf: ab.evenHalf, highHalf: cd.evenHalf)
        let odd = SIMD8(lowHalf: ab.oddHalf, highHalf: cd.oddHalf)
        func store(_ column: SIMD4<Float>, _ index: Int) {
            UnsafeMutableRawPointer(target + index * lanes).storeBytes(
                of: column, as: SIMD4<Float>.self)
        }
        store(even.evenHalf, 0)
        store(odd.evenHalf, 1)
        store(even.oddHalf, 2)
        store(odd.oddHalf, 3)
        return (a - a) + (b - b) + ((c - c) + (d - d))
    }
}
