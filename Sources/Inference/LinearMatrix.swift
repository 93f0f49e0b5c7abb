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
    /// Outputs.
    package let rows: Int
    /// Inputs.
    package let columns: Int
    /// Added to the outputs.
    package let bias: [Float]?

    /// Weights that stay where they are and are decoded a tile at a time.
    package init(_ source: any TensorSource, bias: [Float]? = nil) throws(UnsupportedEncoding) {
        let descriptor = source.descriptor
        let codec = try RowCodec(descriptor.encoding, columns: descriptor.columns)
        storage = .encoded(source, codec)
        (rows, columns) = (descriptor.rows, descriptor.columns)
        self.bias = bias
    }

    /// Weights in memory.
    package init(_ matrix: Matrix, bias: [Float]? = nil) {
        storage = .decoded(matrix)
        (rows, columns) = (matrix.rows, matrix.columns)
        self.bias = bias
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
        try workers.forEachRange(of: rows, length: LinearMatrix.rowsPerTile) { range in
            try decode(range, into: matrix.rows(range))
        }
        return matrix
    }

    /// Weight rows that are decoded at once: small enough for the cache, large enough for the product.
    static let rowsPerTile = 192
    /// Weight rows that are decoded at once for a few tokens: a decoded tile meets each token once, so it
    /// should not leave the innermost cache, and small matrices should still occupy all threads.
    static let rowsPerSmallTile = 16
    /// Tokens that one product takes. Decoding a tile is then a few percent of multiplying by it.
    static let tokensPerTile = 512

    /// output (tokens, rows) = input (tokens, columns) · weightsᵀ + bias, added to what is there if asked.
    package func multiply(
        _ input: UnsafeMutableBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Float>,
        adding: Bool = false, workers: Workers
    ) throws {
        let tokens = input.count / max(columns, 1)
        precondition(input.count == tokens * columns && output.count == tokens * rows)
        nonisolated(unsafe) let (input, output) = (input, output)
        try LinearMatrix.forEachTile(tokens: tokens, rows: rows, workers: workers) { tokens, tile in
            guard let x = input.baseAddress, let y = output.baseAddress else { return }
            try withScratch(tile.count * columns) { weights in
                try decode(tile, into: weights)
                product(
                    x + tokens.lowerBound * columns, weights,
                    into: y + tokens.lowerBound * rows + tile.lowerBound, stride: rows,
                    tokens: tokens.count, tile: tile, adding: adding)
            }
        }
    }

    /// One tile's product with some tokens, bias included.
    func product(
        _ x: UnsafePointer<Float>, _ weights: UnsafeMutableBufferPointer<Float>,
        into y: UnsafeMutablePointer<Float>, stride: Int, tokens: Int, tile: Range<Int>,
        adding: Bool = false
    ) {
        guard let tileStart = weights.baseAddress else { return }
        multiplyRows(
            MatrixOperand(x, stride: columns),
            MatrixOperand(tileStart, stride: columns, transposed: true),
            into: y, stride: stride, rows: tokens, inner: columns, columns: tile.count,
            adding: adding)
        guard let bias else { return }
        for token in 0..<tokens {
            for row in tile { y[token * stride + row - tile.lowerBound] += bias[row] }
        }
    }

    /// Cuts a product into work items of a shape that depends on the product alone.
    static func forEachTile(
        tokens: Int, rows: Int, workers: Workers,
        _ body: @Sendable (_ tokens: Range<Int>, _ tile: Range<Int>) throws -> Void
    ) throws {
        let rowsPerTile = tokens <= fewRows ? rowsPerSmallTile : LinearMatrix.rowsPerTile
        let tiles = (rows + rowsPerTile - 1) / rowsPerTile
        let chunks = (tokens + tokensPerTile - 1) / tokensPerTile
        try workers.forEach(tiles * chunks) { item in
            let (chunk, tile) = item.quotientAndRemainder(dividingBy: tiles)
            try body(
                chunk * tokensPerTile..<min(tokens, (chunk + 1) * tokensPerTile),
                tile * rowsPerTile..<min(rows, (tile + 1) * rowsPerTile))
        }
    }
}

/// Lends uninitialized memory for the length of a call.
func withScratch<Result>(
    _ count: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
) rethrows -> Result {
    let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 4, alignment: 64)
    defer { raw.deallocate() }
    return try body(raw.bindMemory(to: Float.self))
}
