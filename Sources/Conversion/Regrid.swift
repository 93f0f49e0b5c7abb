import BlockFormats
import Kernels
import TensorIR

/// Moves rows from one grid to another without changing a weight, where the grids coincide.
///
/// Each block of the target is tried with the scales and minimums that the source's groups have there,
/// and with what its own encoder would choose; what decodes to the same values is taken. Nothing is
/// assumed of the encodings: the decoded values are compared, every one of them.
struct Regrid: Sendable {
    private let source: RowCodec
    private let target: RowCodec
    private let sourceGrid: LevelGrid?
    private let targetGrid: LevelGrid?

    /// - Throws: `UnsupportedEncoding` for an encoding without a decoder, or rows that it cannot hold.
    init(from source: Encoding, to target: Encoding, columns: Int) throws(UnsupportedEncoding) {
        self.source = try RowCodec(source, columns: columns)
        self.target = try RowCodec(target, columns: columns)
        // The blocks of the others have no scale that could be passed on.
        func simple(_ encoding: Encoding) -> LevelGrid? {
            LevelGrid(encoding).flatMap { $0.subBlocks == nil ? $0 : nil }
        }
        (sourceGrid, targetGrid) = (simple(source), simple(target))
    }

    /// Whether every weight of a tensor can move.
    ///
    /// - Parameters:
    ///   - tensor: in the source's encoding.
    ///   - workers: the threads to compare on.
    /// - Returns: false as soon as one weight would change.
    /// - Throws: what reading the tensor throws.
    func isLossless(_ tensor: any TensorSource, workers: Workers) throws -> Bool {
        struct Changed: Error {}
        let rowsAtOnce = max(1, (1 << 16) / max(1, target.columns))
        do {
            try workers.forEachRange(of: tensor.descriptor.rows, length: rowsAtOnce) { rows in
                let bytes = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: rows.count * target.rowByteCount, alignment: 64)
                defer { bytes.deallocate() }
                let changed = try tensor.withBytes(rows: rows) { encode($0, into: bytes) }
                if changed > 0 { throw Changed() }
            }
        } catch is Changed {
            return false
        }
        return true
    }

    /// Writes whole rows.
    ///
    /// - Parameters:
    ///   - bytes: rows of the source.
    ///   - result: room for as many of the target.
    /// - Returns: how many weights came out another.
    func encode(
        _ bytes: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer
    ) -> Int {
        let (columns, rows) = (target.columns, result.count / max(1, target.rowByteCount))
        guard target.canEncode, rows > 0 else { return rows * columns }
        let weights = Matrix(rows: rows, columns: columns)
        let decoded = Matrix(rows: rows, columns: columns)
        source.decode(bytes, into: weights.elements)
        target.encode(UnsafeBufferPointer(weights.elements), into: result)
        target.decode(UnsafeRawBufferPointer(result), into: decoded.elements)
        var changed = 0
        for row in 0..<rows {
            let place = row * target.rowByteCount..<(row + 1) * target.rowByteCount
            if weights.row(row).elementsEqual(decoded.row(row)) { continue }
            let rowBytes = UnsafeMutableRawBufferPointer(rebasing: result[place])
            let from = row * source.rowByteCount..<(row + 1) * source.rowByteCount
            adjust(
                rowBytes, to: weights.row(row), decoded: decoded.row(row),
                source: UnsafeRawBufferPointer(rebasing: bytes[from]))
            target.decode(UnsafeRawBufferPointer(rowBytes), into: decoded.row(row))
            changed += zip(weights.row(row), decoded.row(row)).count { $0 != $1 }
        }
        return changed
    }

    /// Tries the source's scales in those blocks of a row that differ.
    private func adjust(
        _ row: UnsafeMutableRawBufferPointer, to weights: UnsafeMutableBufferPointer<Float>,
        decoded: UnsafeMutableBufferPointer<Float>, source bytes: UnsafeRawBufferPointer
    ) {
        guard let grid = targetGrid else { return }
        let width = grid.weightsPerBlock
        for (block, start) in stride(from: 0, to: weights.count, by: width).enumerated() {
            let columns = start..<min(start + width, weights.count)
            guard !weights[columns].elementsEqual(decoded[columns]) else { continue }
            let place = block * grid.bytesPerBlock..<(block + 1) * grid.bytesPerBlock
            for candidate in candidates(columns, bytes) {
                let stored = grid.representable(
                    scale: candidate.scale, minimum: candidate.minimum)
                guard
                    let levels = levels(
                        of: weights[columns], scale: stored.scale, minimum: stored.minimum)
                else { continue }
                grid.pack(
                    levels: levels, count: columns.count, scale: stored.scale,
                    minimum: stored.minimum,
                    into: UnsafeMutableRawBufferPointer(rebasing: row[place]))
                break
            }
        }
    }

    /// The scales and minimums of the source's groups under some columns.
    private func candidates(
        _ columns: Range<Int>, _ bytes: UnsafeRawBufferPointer
    ) -> [(scale: Float, minimum: Float)] {
        guard let grid = sourceGrid else { return [] }
        let width = grid.weightsPerBlock
        let groups = columns.lowerBound / width...(columns.upperBound - 1) / width
        return withUnsafeTemporaryAllocation(of: Int8.self, capacity: width) { levels in
            guard let scratch = levels.baseAddress else { return [] }
            return groups.map { group in
                let block = bytes[group * grid.bytesPerBlock..<(group + 1) * grid.bytesPerBlock]
                let count = min(width, source.columns - group * width)
                return grid.unpack(
                    UnsafeRawBufferPointer(rebasing: block), count: count, levels: scratch)
            }
        }
    }

    /// What is stored for each weight, or nil where one is no level.
    private func levels(
        of weights: Slice<UnsafeMutableBufferPointer<Float>>, scale: Float, minimum: Float
    ) -> [Int8]? {
        guard let grid = targetGrid else { return nil }
        var levels: [Int8] = []
        levels.reserveCapacity(weights.count)
        for weight in weights {
            let steps = scale == 0 ? 0 : ((weight - minimum) / scale).rounded()
            guard let level = grid.storedLevel(for: steps),
                scale * steps + minimum == weight
            else { return nil }
            levels.append(level)
        }
        return levels
    }
}

extension LevelGrid {
    /// What is stored for a level, or nil where the grid has none of this value.
    fileprivate func storedLevel(for steps: Float) -> Int8? {
        guard let level = Int8(exactly: steps) else { return nil }
        switch levels {
        case .codebook(let codebook): return codebook.firstIndex(of: level).map { Int8($0) }
        case .uniform(let range):
            // Passes leave out the level of Q8_0 that has no twin; the file can hold it.
            let isHeld = encoding == .block(.q8_0) || range.contains(Int(level))
            return isHeld ? level : nil
        }
    }
}
