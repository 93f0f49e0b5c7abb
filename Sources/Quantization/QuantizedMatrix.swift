import BlockFormats
import Kernels
import TensorIR

/// A weight matrix on a grid: the bytes for the file, and the weights that a reader will see.
package struct QuantizedMatrix: Sendable {
    package let encoding: Encoding
    /// Rows in their encoding, one after the other.
    package let bytes: [UInt8]
    /// What decoding `bytes` gives: (rows, columns).
    package let decoded: Matrix
    package let report: QuantizationReport
}

/// Collects the tiles of a matrix as threads finish them.
///
/// Tiles cover different rows, so no two threads write the same byte.
final class QuantizedMatrixBuilder: @unchecked Sendable {
    let grid: LevelGrid
    let rows: Int
    let columns: Int
    private let codec: RowCodec
    private let decoded: Matrix
    private let bytes: UnsafeMutableRawBufferPointer
    /// What is stored for a level, by level + 128.
    private let stored: [Int8]

    /// - Throws: `QuantizationError` when rows of `columns` weights do not fit the grid.
    init(_ grid: LevelGrid, rows: Int, columns: Int) throws(QuantizationError) {
        do {
            codec = try RowCodec(grid.encoding, columns: columns)
        } catch {
            throw .unsupportedWidth(columns: columns, encoding: grid.encoding.description)
        }
        (self.grid, self.rows, self.columns) = (grid, rows, columns)
        decoded = Matrix(rows: rows, columns: columns)
        bytes = .allocate(byteCount: rows * codec.rowByteCount, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        stored = grid.storedLevels
    }

    deinit { bytes.deallocate() }

    /// Encodes a tile as the given rows.
    func store(_ tile: GridTile, rows: Range<Int>) {
        guard columns > 0 else { return }
        var codes = [Int8](repeating: 0, count: min(grid.weightsPerBlock, columns))
        let levels = tile.levels.lanes(0)
        for (lane, row) in rows.enumerated() {
            let rowBytes = UnsafeMutableRawBufferPointer(
                rebasing: bytes[row * codec.rowByteCount..<(row + 1) * codec.rowByteCount])
            for block in 0..<tile.blockCount / tile.blocksPerSuperBlock {
                let columns = tile.columns(ofSuperBlock: block)
                for column in columns {
                    let level = Int(levels[column &* Tile.lanes &+ lane])
                    codes[column - columns.lowerBound] = stored[level + 128]
                }
                pack(
                    codes, count: columns.count, block: block, of: tile, lane: lane,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: rowBytes[
                            block * grid.bytesPerBlock..<(block + 1) * grid.bytesPerBlock]))
            }
            codec.decode(UnsafeRawBufferPointer(rowBytes), into: decoded.row(row))
        }
    }

    private func pack(
        _ codes: [Int8], count: Int, block: Int, of tile: GridTile, lane: Int,
        into bytes: UnsafeMutableRawBufferPointer
    ) {
        guard grid.subBlocks == nil else {
            tile.fit(ofSuperBlock: block).pack(lane: lane, levels: codes, as: grid, into: bytes)
            return
        }
        grid.pack(
            levels: codes, count: count, scale: tile.scales.lanes(block)[lane],
            minimum: tile.minimums.lanes(block)[lane], into: bytes)
    }

    func finish(_ report: QuantizationReport) -> QuantizedMatrix {
        QuantizedMatrix(
            encoding: grid.encoding, bytes: [UInt8](bytes), decoded: decoded, report: report)
    }
}
