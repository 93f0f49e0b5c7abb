import BlockFormats
import Kernels
import TensorIR

/// The weights of a linear layer, (outputs, inputs), in whatever encoding they are stored.
package struct LinearMatrix: Sendable {
    private enum Storage: Sendable {
        case encoded(any TensorSource, RowCodec)
        case decoded(Matrix)
    }

    private let storage: Storage
    /// The encoded rows where they lie in memory and there is a kernel for them.
    private let encodedRows: EncodedRows?
    /// Outputs.
    package let rows: Int
    /// Inputs.
    package let columns: Int
    /// Added to the outputs.
    package let bias: [Float]?
    /// Of products with many tokens.
    let precision: Precision
    /// All weights decoded, for as long as `withPrepared` lends them.
    nonisolated(unsafe) var prepared: UnsafeMutablePointer<Float>?

    /// Weights that stay where they are and are decoded a tile at a time.
    package init(
        _ source: any TensorSource, bias: [Float]? = nil, precision: Precision = .f32
    ) throws(UnsupportedEncoding) {
        let descriptor = source.descriptor
        let codec = try RowCodec(descriptor.encoding, columns: descriptor.columns)
        storage = .encoded(source, codec)
        encodedRows = source.bytesInPlace.flatMap { EncodedRows($0, in: codec) }
        (rows, columns) = (descriptor.rows, descriptor.columns)
        (self.bias, self.precision) = (bias, precision)
    }

    /// Weights in memory.
    package init(_ matrix: Matrix, bias: [Float]? = nil, precision: Precision = .f32) {
        (storage, encodedRows) = (.decoded(matrix), nil)
        (rows, columns) = (matrix.rows, matrix.columns)
        (self.bias, self.precision) = (bias, precision)
    }

    /// Decodes some rows into `buffer`, (rows, columns).
    package func decode(
        _ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>
    ) throws {
        precondition(buffer.count == range.count * columns)
        switch storage {
        case .encoded(let source, let codec):
            try source.withBytes(rows: range) { codec.decode($0, into: buffer) }
        case .decoded(let matrix):
            _ = buffer.update(fromContentsOf: matrix.rows(range))
        }
    }

    /// All weights decoded, (rows, columns).
    package func decoded(workers: Workers) throws -> Matrix {
        if case .decoded(let matrix) = storage { return matrix }
        let matrix = Matrix(rows: rows, columns: columns)
        try workers.forEachRange(of: rows, length: TileGrid.rowsPerTile) { range in
            try decode(range, into: matrix.rows(range))
        }
        return matrix
    }
}

extension LinearMatrix {
    /// output (tokens, rows) = input (tokens, columns) · weightsᵀ + bias, added to what is there if asked.
    package func multiply(
        _ input: UnsafeMutableBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Float>,
        adding: Bool = false, workers: Workers
    ) throws {
        try LinearMatrix.multiply(
            input, by: [(self, output)], adding: adding, workers: workers)
    }

    /// The products of several matrices with one input, shared out among the threads as one piece of work.
    static func multiply(
        _ input: UnsafeMutableBufferPointer<Float>,
        by matrices: [(matrix: LinearMatrix, output: UnsafeMutableBufferPointer<Float>)],
        adding: Bool = false, workers: Workers
    ) throws {
        let columns = matrices.first?.matrix.columns ?? 0
        let tokens = input.count / max(columns, 1)
        precondition(input.count == tokens * columns)
        if tokens <= fewRows,
            multiplyInPlace(
                input, columns: columns, by: matrices, adding: adding, workers: workers)
        {
            return
        }
        func multiply(_ prepared: [LinearMatrix]) throws {
            try multiplyTiles(
                input, tokens: tokens, by: Array(zip(prepared, matrices.map(\.output))),
                adding: adding, workers: workers)
        }
        let plain = matrices.map(\.matrix)
        guard TileGrid.decodesOften(tokens: tokens, workers) else { return try multiply(plain) }
        try withPrepared(plain, workers, multiply)
    }

    private static func multiplyTiles(
        _ input: UnsafeMutableBufferPointer<Float>, tokens: Int,
        by matrices: [(matrix: LinearMatrix, output: UnsafeMutableBufferPointer<Float>)],
        adding: Bool, workers: Workers
    ) throws {
        let columns = matrices.first?.matrix.columns ?? 0
        let grids = matrices.map { matrix, output in
            precondition(matrix.columns == columns && output.count == tokens * matrix.rows)
            return TileGrid(
                tokens: tokens, rows: matrix.rows, columns: columns, isLone: workers.isInsideOfItem)
        }
        nonisolated(unsafe) let matrices = matrices
        let isRounded = matrices.contains { $0.matrix.isRounding(tokens: tokens) }
        try Activations.with(input, columns: columns, rounded: isRounded, workers) { x in
            try workers.forEach(grids.reduce(0) { $0 + $1.count }) { item in
                var (item, place) = (item, 0)
                while item >= grids[place].count {
                    item -= grids[place].count
                    place += 1
                }
                let (matrix, output) = matrices[place]
                let (tokens, tile) = grids[place][item]
                guard let y = output.baseAddress else { return }
                try matrix.multiply(
                    x[tokens], tile: tile,
                    into: y + tokens.lowerBound * matrix.rows + tile.lowerBound,
                    stride: matrix.rows, adding: adding)
            }
        }
    }

    /// The product with some of the weights' rows on the calling thread: `output` (tokens, all rows) gets their
    /// columns.
    func multiply(_ x: Activations, rows: Range<Int>, into output: Matrix) throws {
        let grid = TileGrid(tokens: x.count, rows: rows.count, columns: columns, isLone: true)
        for item in 0..<grid.count {
            let (tokens, tile) = grid[item]
            let first = rows.lowerBound + tile.lowerBound
            try multiply(
                x[tokens], tile: first..<first + tile.count,
                into: output.pointer(toRow: tokens.lowerBound, column: first), stride: self.rows)
        }
    }

    /// Whether a product with so many tokens is one of rounded numbers.
    func isRounding(tokens: Int) -> Bool { precision == .bf16 && tokens > fewRows }

    /// One tile's product with some tokens, bias included: `y` (tokens, tile), its rows `stride` apart.
    func multiply(
        _ x: Activations, tile: Range<Int>, into y: UnsafeMutablePointer<Float>, stride: Int,
        adding: Bool = false
    ) throws {
        let tokens = x.count
        if isRounding(tokens: tokens), let rounded = x.rounded {
            try withRounded(tile) { weights in
                multiplyRounded(
                    RoundedOperand(rounded, stride: columns), weights, into: y, stride: stride,
                    rows: tokens, inner: columns, columns: tile.count, keep: adding ? 1 : 0)
            }
        } else if tokens > fewRows {
            try withTransposed(tile) { weights in
                Kernels.multiply(
                    MatrixOperand(x.floats, stride: columns), weights, into: y, stride: stride,
                    rows: tokens, inner: columns, columns: tile.count, keep: adding ? 1 : 0)
            }
        } else if try !addDots(x, tile: tile, into: y, stride: stride, adding: adding) {
            try withScratch(tile.count * columns) { weights in
                guard let first = weights.baseAddress else { return }
                try decode(tile, into: weights)
                multiplyRows(
                    MatrixOperand(x.floats, stride: columns),
                    MatrixOperand(first, stride: columns, transposed: true),
                    into: y, stride: stride, rows: tokens, inner: columns, columns: tile.count,
                    adding: adding)
            }
        }
        addBias(tile, to: y, tokens: tokens, stride: stride)
    }

    private func addBias(
        _ rows: Range<Int>, to y: UnsafeMutablePointer<Float>, tokens: Int, stride: Int
    ) {
        guard let bias else { return }
        for token in 0..<tokens {
            for row in rows { y[token * stride + row - rows.lowerBound] += bias[row] }
        }
    }
}

// MARK: A few tokens

extension LinearMatrix {
    /// The product with a few tokens straight from the encoded weights, where there is a kernel for it.
    ///
    /// The result is that of `multiplyInPlace`, wherever the bytes come from.
    private func addDots(
        _ x: Activations, tile: Range<Int>, into y: UnsafeMutablePointer<Float>, stride: Int,
        adding: Bool
    ) throws -> Bool {
        guard case .encoded(let source, let codec) = storage else { return false }
        return try source.withBytes(rows: tile) { bytes in
            guard let rows = EncodedRows(bytes, in: codec) else { return false }
            let part = Part(rows: rows, output: y, stride: stride)
            FewVectors.with(
                UnsafeBufferPointer(start: x.floats, count: x.count * columns), columns: columns,
                asBlockFloats: rows.usesBlockFloats
            ) { x in
                for tile in 0..<part.tiles { part.multiply(tile: tile, x, adding: adding) }
            }
            return true
        }
    }

    /// One matrix's part in a product with a few tokens. It holds no reference, for counting those would take
    /// as long as an item does.
    private struct Part {
        let rows: EncodedRows
        /// (tokens, rows)
        let output: UnsafeMutablePointer<Float>
        /// Elements from one token's results to the next one's.
        let stride: Int

        /// Few enough for threads to end at about the same time.
        static let rowsPerTile = 32

        var tiles: Int { (rows.count + Part.rowsPerTile - 1) / Part.rowsPerTile }

        func multiply(tile: Int, _ x: FewVectors, adding: Bool) {
            let first = tile * Part.rowsPerTile
            let range = first..<min(first + Part.rowsPerTile, rows.count)
            for token in 0..<x.count {
                let y = output + token * stride + first
                guard adding else {
                    rows.dots(of: range, with: x, token, into: y)
                    continue
                }
                withUnsafeTemporaryAllocation(of: Float.self, capacity: Part.rowsPerTile) { dots in
                    guard let start = dots.baseAddress else { return }
                    rows.dots(of: range, with: x, token, into: start)
                    for row in 0..<range.count { y[row] += start[row] }
                }
            }
        }
    }

    /// The products straight from the encoded weights, where all of them lie in memory.
    ///
    /// - Returns: false where they do not, and nothing was done.
    private static func multiplyInPlace(
        _ input: UnsafeMutableBufferPointer<Float>, columns: Int,
        by matrices: [(matrix: LinearMatrix, output: UnsafeMutableBufferPointer<Float>)],
        adding: Bool, workers: Workers
    ) -> Bool {
        var parts: [Part] = []
        parts.reserveCapacity(matrices.count)
        for (matrix, output) in matrices {
            guard let rows = matrix.encodedRows, let output = output.baseAddress else {
                return false
            }
            parts.append(Part(rows: rows, output: output, stride: matrix.rows))
        }
        FewVectors.with(
            UnsafeBufferPointer(input), columns: columns,
            asBlockFloats: parts.contains { $0.rows.usesBlockFloats }
        ) { x in
            parts.withUnsafeBufferPointer { parts in
                nonisolated(unsafe) let parts = parts
                workers.forEachInRuns(parts.reduce(0) { $0 + $1.tiles }) { item in
                    var (tile, place) = (item, 0)
                    while tile >= parts[place].tiles {
                        tile -= parts[place].tiles
                        place += 1
                    }
                    parts[place].multiply(tile: tile, x, adding: adding)
                }
            }
            for (part, (matrix, _)) in zip(parts, matrices) {
                matrix.addBias(
                    0..<matrix.rows, to: part.output, tokens: x.count, stride: matrix.rows)
            }
        }
        return true
    }
}
