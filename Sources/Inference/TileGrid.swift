import Kernels

/// How a product is cut into work items: by its own shape, never by the number of threads.
struct TileGrid: Sendable {
    private let tokens: Int
    private let rows: Int
    private let tokensPerTile: Int
    private let rowsPerTile: Int

    /// Weight rows that are decoded at once: small enough for the cache, large enough for the product.
    static let rowsPerTile = 192
    /// Weight rows for a few tokens: small matrices should still occupy all threads.
    private static let rowsPerSmallTile = 32
    /// Tokens that one product takes. Decoding a tile is then a few percent of multiplying by it.
    private static let tokensPerTile = 512
    /// The same where a thread has a product to itself. Before it multiplies, oneDNN copies both operands
    /// into an order of its own; the larger the product, the smaller a part of it that is.
    private static let weightsPerLoneTile = 1 << 20
    private static let tokensPerLoneTile = 2048

    /// Whether tiles would be decoded for one part of the tokens after the other. Threads with a product each take
    /// more tokens at a time, and should not hold all weights each.
    static func decodesOften(tokens: Int, _ workers: Workers) -> Bool {
        !workers.isInsideOfItem && tokens > 4 * tokensPerTile
    }

    /// - Parameters:
    ///   - tokens: rows of the input.
    ///   - rows: outputs of the matrix.
    ///   - columns: inputs of the matrix.
    ///   - isLone: whether the whole product is for one thread, because the others have their own.
    init(tokens: Int, rows: Int, columns: Int, isLone: Bool) {
        (self.tokens, self.rows) = (tokens, rows)
        if tokens <= fewRows {
            (rowsPerTile, tokensPerTile) = (TileGrid.rowsPerSmallTile, fewRows)
        } else if isLone {
            rowsPerTile = max(TileGrid.rowsPerTile, TileGrid.weightsPerLoneTile / max(1, columns))
            tokensPerTile = TileGrid.tokensPerLoneTile
        } else {
            (rowsPerTile, tokensPerTile) = (TileGrid.rowsPerTile, TileGrid.tokensPerTile)
        }
    }

    private var tiles: Int { (rows + rowsPerTile - 1) / rowsPerTile }

    var count: Int { tiles * ((tokens + tokensPerTile - 1) / tokensPerTile) }

    /// Tokens and weight rows of an item.
    subscript(item: Int) -> (tokens: Range<Int>, tile: Range<Int>) {
        let (chunk, tile) = item.quotientAndRemainder(dividingBy: tiles)
        return (
            chunk * tokensPerTile..<min(tokens, (chunk + 1) * tokensPerTile),
            tile * rowsPerTile..<min(rows, (tile + 1) * rowsPerTile)
        )
    }
}
