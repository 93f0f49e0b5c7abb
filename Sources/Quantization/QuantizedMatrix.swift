import BlockFormats
import Kernels
import Synchronization
import TensorIR

/// A weight matrix on a grid: the bytes for the file, and the weights that a reader will see.
package struct QuantizedMatrix: Sendable {
    package let encoding: Encoding
    /// Rows in their encoding, one after the other.
    package let bytes: [UInt8]
    package let report: QuantizationReport
    private let weights: DecodedRows

    /// - Parameters:
    ///   - encoding: of the bytes.
    ///   - bytes: whole rows.
    ///   - decoded: what decoding them gives.
    ///   - report: what the rounding cost.
    init(encoding: Encoding, bytes: [UInt8], decoded: Matrix, report: QuantizationReport) {
        (self.encoding, self.bytes, self.report) = (encoding, bytes, report)
        weights = DecodedRows { decoded }
    }

    /// - Parameters:
    ///   - bytes: whole rows.
    ///   - codec: what their encoding is.
    ///   - rows: how many they are.
    ///   - report: what the rounding cost.
    init(bytes: [UInt8], codec: RowCodec, rows: Int, report: QuantizationReport) {
        (encoding, self.bytes, self.report) = (codec.encoding, bytes, report)
        weights = DecodedRows {
            let matrix = Matrix(rows: rows, columns: codec.columns)
            bytes.withUnsafeBytes { codec.decode($0, into: matrix.elements) }
            return matrix
        }
    }

    /// What decoding `bytes` gives: (rows, columns). It lives as long as this does.
    package var decoded: Matrix { weights.matrix }
}

/// Weights that are decoded when they are first asked for; most that are written never are.
private final class DecodedRows: Sendable {
    private let made = Mutex<Matrix?>(nil)
    private let make: @Sendable () -> Matrix

    init(_ make: @escaping @Sendable () -> Matrix) { self.make = make }

    var matrix: Matrix {
        made.withLock { made in
            let matrix = made ?? make()
            made = matrix
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

    /// Encodes a tile as the given rows.
    func store(_ tile: GridTile, rows: Range<Int>) {
        let levels = tile.levels.elements
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: levels.count) { small in
            for index in 0..<levels.count { small[index] = lowByte(ofWhole: levels[index]) }
            store(tile, levels: UnsafeBufferPointer(small), rows: rows)
        }
    }

    /// Encodes a tile as a part of the given rows.
    ///
    /// - Parameters:
    ///   - tile: the scales.
    ///   - levels: the levels of its weights: (columns, lanes).
    ///   - rows: those of its lanes.
    ///   - start: the super-block of the rows, or block where there are none, that is the tile's first.
    func store(
        _ tile: GridTile, levels: UnsafeBufferPointer<Int8>, rows: Range<Int>, from start: Int = 0
    ) {
        let size = grid.bytesPerBlock
        withUnsafeTemporaryAllocation(
            of: Int8.self, capacity: grid.weightsPerBlock * Tile.lanes
        ) { codes in
            guard let codes = codes.baseAddress, let bytes = bytes.baseAddress else {
                return
            }
            for block in 0..<tile.blockCount / tile.blocksPerSuperBlock {
                let columns = tile.columns(ofSuperBlock: block)
                turn(levels, columns, laneCount: rows.count, into: codes)
                let place = rows.lowerBound * codec.rowByteCount + (start + block) * size
                pack(
                    codes, columns.count, block, of: tile, laneCount: rows.count,
                    into: bytes + place)
            }
        }
    }

    /// Writes the block, or super-block, of each lane.
    ///
    /// - Parameters:
    ///   - codes: what is stored: (lanes, count).
    ///   - count: weights of a block.
    ///   - block: the place of the blocks in the tile.
    ///   - tile: the scales.
    ///   - laneCount: lanes that are rows.
    ///   - first: where the first row's goes; the others' are a row apart.
    private func pack(
        _ codes: UnsafePointer<Int8>, _ count: Int, _ block: Int, of tile: GridTile, laneCount: Int,
        into first: UnsafeMutableRawPointer
    ) {
        guard grid.subBlocks != nil else {
            return grid.pack(
                levels: codes, count: count, rows: laneCount, scales: tile.scales.lanes(block),
                minimums: tile.minimums.lanes(block), into: first, stride: codec.rowByteCount)
        }
        let fit = tile.fit(ofSuperBlock: block)
        for lane in 0..<laneCount {
            fit.pack(
                lane: lane, levels: codes + lane * count, as: grid,
                into: UnsafeMutableRawBufferPointer(
                    start: first + lane * codec.rowByteCount, count: grid.bytesPerBlock))
        }
    }

    /// Makes what is stored, (lanes, columns), of the levels of some columns, (columns, lanes).
    private func turn(
        _ levels: UnsafeBufferPointer<Int8>, _ columns: Range<Int>, laneCount: Int,
        into codes: UnsafeMutablePointer<Int8>
    ) {
        let count = columns.count
        guard count > 0, let first = levels.baseAddress else { return }
        let source = first + columns.lowerBound * Tile.lanes
        let wholeCount = count / 8 * 8
        for lane in stride(from: 0, to: laneCount, by: 8) {
            for place in stride(from: 0, to: wholeCount, by: 8) {
                transposeBytes(
                    source + place * Tile.lanes + lane, Tile.lanes,
                    into: codes + lane * count + place, count)
            }
        }
        for lane in 0..<laneCount {
            for place in wholeCount..<count {
                codes[lane &* count &+ place] = source[place &* Tile.lanes &+ lane]
            }
        }
        guard case .codebook = grid.levels else { return }
        stored.withUnsafeBufferPointer { stored in
            for index in 0..<laneCount * count { codes[index] = stored[Int(codes[index]) + 128] }
        }
    }

    func finish(_ report: QuantizationReport) -> QuantizedMatrix {
        QuantizedMatrix(bytes: [UInt8](bytes), codec: codec, rows: rows, report: report)
    }
}

/// Turns eight times eight bytes, from rows that are `stride` apart to rows that are `targetStride` apart.
///
/// Halves of the matrix change places, then quarters within these, then neighbours.
@inline(__always)
private func transposeBytes(
    _ source: UnsafePointer<Int8>, _ stride: Int, into target: UnsafeMutablePointer<Int8>,
    _ targetStride: Int
) {
    func row(_ index: Int) -> UInt64 {
        let bytes = UnsafeRawPointer(source + index * stride)
        return UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    }
    func exchange(_ a: inout UInt64, _ b: inout UInt64, _ shift: UInt64, _ mask: UInt64) {
        let difference = (a &>> shift ^ b) & mask
        b ^= difference
        a ^= difference &<< shift
    }
    var (a, b, c, d) = (row(0), row(1), row(2), row(3))
    var (e, f, g, h) = (row(4), row(5), row(6), row(7))
    let halves: UInt64 = 0x0000_0000_FFFF_FFFF
    exchange(&a, &e, 32, halves)
    exchange(&b, &f, 32, halves)
    exchange(&c, &g, 32, halves)
    exchange(&d, &h, 32, halves)
    let quarters: UInt64 = 0x0000_FFFF_0000_FFFF
    exchange(&a, &c, 16, quarters)
    exchange(&b, &d, 16, quarters)
    exchange(&e, &g, 16, quarters)
    exchange(&f, &h, 16, quarters)
    let neighbours: UInt64 = 0x00FF_00FF_00FF_00FF
    exchange(&a, &b, 8, neighbours)
    exchange(&c, &d, 8, neighbours)
    exchange(&e, &f, 8, neighbours)
    exchange(&g, &h, 8, neighbours)
    func store(_ row: UInt64, _ index: Int) {
        UnsafeMutableRawPointer(target + index * targetStride).storeBytes(
            of: row.littleEndian, as: UInt64.self)
    }
    store(a, 0)
    store(b, 1)
    store(c, 2)
    store(d, 3)
    store(e, 4)
    store(f, 5)
    store(g, 6)
    store(h, 7)
}

/// A whole number of magnitude up to 128 as a byte, without the checks of a conversion: added to
/// 1.5 · 2²³, whose last place counts 1, it is the last byte of the sum.
@inline(__always)
private func lowByte(ofWhole number: Float) -> Int8 {
    Int8(truncatingIfNeeded: Int32(bitPattern: (number + 12_582_912).bitPattern))
}
