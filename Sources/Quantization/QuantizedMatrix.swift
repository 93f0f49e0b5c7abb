import BlockFormats
import Kernels
import TensorIR

/// A weight matrix on a grid: the bytes for the file, and the weights that a reader will see.
package struct QuantizedMatrix: Sendable {
    package let encoding: Encoding
    /// Rows in their encoding, one after the other.
    package let bytes: [UInt8]
    package let report: QuantizationReport
    private let weights: Weights

    private enum Weights: Sendable {
        case decoded(Matrix)
        /// Rows that nobody has asked for yet; most that are written never are.
        case encoded(RowCodec, rows: Int)
    }

    /// - Parameters:
    ///   - encoding: of the bytes.
    ///   - bytes: whole rows.
    ///   - decoded: what decoding them gives.
    ///   - report: what the rounding cost.
    init(encoding: Encoding, bytes: [UInt8], decoded: Matrix, report: QuantizationReport) {
        (self.encoding, self.bytes, self.report) = (encoding, bytes, report)
        weights = .decoded(decoded)
    }

    /// - Parameters:
    ///   - bytes: whole rows.
    ///   - codec: what their encoding is.
    ///   - rows: how many they are.
    ///   - report: what the rounding cost.
    init(bytes: [UInt8], codec: RowCodec, rows: Int, report: QuantizationReport) {
        (encoding, self.bytes, self.report) = (codec.encoding, bytes, report)
        weights = .encoded(codec, rows: rows)
    }

    /// What decoding `bytes` gives: (rows, columns).
    package var decoded: Matrix {
        switch weights {
        case .decoded(let matrix): return matrix
        case .encoded(let codec, let rows):
            let matrix = Matrix(rows: rows, columns: codec.columns)
            bytes.withUnsafeBytes { codec.decode($0, into: matrix.elements) }
            return matrix
        }
    }
}

/// Collects the tiles of a matrix as threads finish them.
///
/// Tiles cover different rows, so no two threads write the same byte.
final class QuantizedMatrixBuilder: @unchecked Sendable {
    let grid: LevelGrid
    let rows: Int
    let columns: Int
    private let codec: RowCodec
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
        bytes = .allocate(byteCount: rows * codec.rowByteCount, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        stored = grid.storedLevels
    }

    deinit { bytes.deallocate() }

    /// Encodes a tile as the given rows, or a part of them.
    ///
    /// - Parameters:
    ///   - tile: what is on the grid.
    ///   - rows: those of its lanes.
    ///   - start: the super-block of the rows, or block where there are none, that is the tile's first.
    func store(_ tile: GridTile, rows: Range<Int>, from start: Int = 0) {
        let size = grid.bytesPerBlock
        for block in 0..<tile.blockCount / tile.blocksPerSuperBlock {
            let columns = tile.columns(ofSuperBlock: block)
            withStoredLevels(tile, columns, laneCount: rows.count) { codes in
                for (lane, row) in rows.enumerated() {
                    let place = row * codec.rowByteCount + (start + block) * size
                    pack(
                        codes + lane * columns.count, count: columns.count, block: block, of: tile,
                        lane: lane,
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: bytes[place..<place + size]))
                }
            }
        }
    }

    /// Calls `body` with what is stored for the levels of some columns: (lanes, columns).
    private func withStoredLevels(
        _ tile: GridTile, _ columns: Range<Int>, laneCount: Int,
        _ body: (UnsafePointer<Int8>) -> Void
    ) {
        let count = columns.count
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: 2 * count * Tile.lanes) { room in
            guard let turned = room.baseAddress else { return }
            // Column by column first: that way the numbers of a lane lie closer together.
            let codes = turned + count * Tile.lanes
            for (place, column) in columns.enumerated() {
                let (level, code) = (tile.levels.lanes(column), codes + place * Tile.lanes)
                for lane in 0..<Tile.lanes { code[lane] = lowByte(ofWhole: level[lane]) }
            }
            for lane in 0..<laneCount {
                for place in 0..<count {
                    turned[lane &* count &+ place] = codes[place &* Tile.lanes &+ lane]
                }
            }
            if case .codebook = grid.levels {
                stored.withUnsafeBufferPointer { stored in
                    for index in 0..<laneCount * count {
                        turned[index] = stored[Int(turned[index]) + 128]
                    }
                }
            }
            body(turned)
        }
    }

    private func pack(
        _ codes: UnsafePointer<Int8>, count: Int, block: Int, of tile: GridTile, lane: Int,
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
        QuantizedMatrix(bytes: [UInt8](bytes), codec: codec, rows: rows, report: report)
    }
}

/// A whole number of magnitude up to 128 as a byte, without the checks of a conversion: added to
/// 1.5 · 2²³, whose last place counts 1, it is the last byte of the sum.
@inline(__always)
private func lowByte(ofWhole number: Float) -> Int8 {
    Int8(truncatingIfNeeded: Int32(bitPattern: (number + 12_582_912).bitPattern))
}
