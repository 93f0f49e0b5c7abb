import BlockFormats
import Kernels

/// Rounds matrices to codebooks: each super-block by itself, its unit, scales and vectors searched
/// under the columns' importance.
struct CodebookRounding {
    let grid: CodebookGrid

    /// Rows that are searched together. The search prepares itself for the weights of a super-block's
    /// columns, which takes as long as two rows.
    private static let rowsPerItem = 16

    /// - Throws: `QuantizationError` for widths that differ and weights that are not finite.
    func quantize(
        _ weights: Matrix, importance: [Float]?, workers: Workers
    ) throws(QuantizationError) -> QuantizedMatrix {
        let columns = weights.columns
        if let importance, importance.count != columns {
            throw .widthMismatch(columns: columns, statistics: importance.count)
        }
        let importance = importance ?? [Float](repeating: 1, count: columns)
        let builder = try CodebookMatrixBuilder(grid, rows: weights.rows, columns: columns)
        let itemCount = (weights.rows + Self.rowsPerItem - 1) / Self.rowsPerItem
        let tally = ErrorTally(tileCount: itemCount)
        try workers.forEach(itemCount) { item throws(QuantizationError) in
            let start = item * Self.rowsPerItem
            let rows = start..<min(start + Self.rowsPerItem, weights.rows)
            try weights.requireFinite(rows)
            let search = CodebookSearch(grid)
            var block = CodebookBlock(grid)
            for index in 0..<builder.blockCount {
                let columns = builder.columns(ofBlock: index)
                search.setWeights(importance[columns])
                for row in rows {
                    search.fit(
                        weights.pointer(toRow: row, column: columns.lowerBound), into: &block)
                    builder.store(block, row: row, index: index)
                    let gain = Self.gain(
                        weights.row(row)[columns], builder.decoded.row(row)[columns],
                        importance[columns])
                    block.unit = grid.representable(unit: block.unit * gain)
                    builder.store(block, row: row, index: index)
                }
            }
            tally[item] = weightedError(weights, builder.decoded, rows, importance)
        }
        let total = tally.total
        return builder.finish(
            QuantizationReport(
                relativeError: total.relative, relativeErrorOfRoundingToNearest: total.relative,
                squaredOutput: total.reference))
    }

    /// What to lengthen a rounded block by.
    ///
    /// Least squares shrink: with few vectors to choose from, weights come out nearer to zero than they
    /// were, in IQ1_S by a fifth, and so does all that the matrix puts out, beside a residual stream that
    /// is as it was. Half of that, in logarithms, is given back. The squared error grows by two to four
    /// percent, and the divergence of a whole model falls by four to eight (IQ2_XS to IQ1_S).
    ///
    /// - Parameters:
    ///   - weights: of the block.
    ///   - rounded: what has become of them.
    ///   - importance: of the columns.
    /// - Returns: √(Σ i·w² / Σ i·w·r), from 1 to 1.25.
    private static func gain(
        _ weights: Slice<UnsafeMutableBufferPointer<Float>>,
        _ rounded: Slice<UnsafeMutableBufferPointer<Float>>, _ importance: ArraySlice<Float>
    ) -> Float {
        var (squares, products) = (Float(0), Float(0))
        for column in weights.indices {
            let weighted = importance[column] * weights[column]
            squares += weighted * weights[column]
            products += weighted * rounded[column]
        }
        guard products > 0 else { return 1 }
        return min(max((squares / products).squareRoot(), 1), 1.25)
    }

    private func weightedError(
        _ weights: Matrix, _ decoded: Matrix, _ rows: Range<Int>, _ importance: [Float]
    ) -> ErrorTally.Entry {
        var entry = ErrorTally.Entry()
        for row in rows {
            let (x, reached) = (weights.row(row), decoded.row(row))
            for column in importance.indices {
                let error = Double(x[column] - reached[column])
                let weight = Double(importance[column])
                entry.reference += weight * Double(x[column]) * Double(x[column])
                entry.error += weight * error * error
            }
        }
        entry.nearestError = entry.error
        return entry
    }
}

/// Collects the super-blocks of a matrix as threads finish them.
///
/// Threads work on different rows, so no two of them write the same byte.
final class CodebookMatrixBuilder: @unchecked Sendable {
    let grid: CodebookGrid
    /// Super-blocks in a row.
    let blockCount: Int
    /// What decoding the bytes gives: (rows, columns).
    let decoded: Matrix
    private let bytes: UnsafeMutableRawBufferPointer

    /// - Throws: `QuantizationError` when rows of `columns` weights are not whole super-blocks.
    init(_ grid: CodebookGrid, rows: Int, columns: Int) throws(QuantizationError) {
        guard columns % CodebookGrid.weightsPerBlock == 0 else {
            throw .unsupportedWidth(columns: columns, encoding: grid.encoding.rawValue)
        }
        self.grid = grid
        blockCount = columns / CodebookGrid.weightsPerBlock
        decoded = Matrix(rows: rows, columns: columns)
        bytes = .allocate(
            byteCount: rows * blockCount * grid.encoding.bytesPerBlock, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }

    func columns(ofBlock index: Int) -> Range<Int> {
        let width = CodebookGrid.weightsPerBlock
        return index * width..<(index + 1) * width
    }

    func store(_ block: CodebookBlock, row: Int, index: Int) {
        let size = grid.encoding.bytesPerBlock
        let place = (row * blockCount + index) * size
        grid.pack(block, into: UnsafeMutableRawBufferPointer(rebasing: bytes[place..<place + size]))
        let weights = decoded.row(row)
        grid.expand(
            block, into: UnsafeMutableBufferPointer(rebasing: weights[columns(ofBlock: index)]))
    }

    func finish(_ report: QuantizationReport) -> QuantizedMatrix {
        QuantizedMatrix(
            encoding: .block(grid.encoding), bytes: [UInt8](bytes), decoded: decoded,
            report: report)
    }
}

extension Matrix {
    /// - Throws: `QuantizationError.nonFiniteWeight`, of the first such weight.
    func requireFinite(_ rows: Range<Int>) throws(QuantizationError) {
        for row in rows {
            // x − x is zero for finite numbers only, and what is not zero stays in a sum.
            let strangeness = self.row(row).reduce(Float(0)) { $0 + ($1 - $1) }
            guard strangeness != 0 else { continue }
            let column = self.row(row).firstIndex { !$0.isFinite } ?? 0
            throw .nonFiniteWeight(row: row, column: column)
        }
    }
}
