import TensorIR

/// A tensor inside a DTZ file. Reading rows reads the chunks that they lie in, and no others.
public struct DTZTensor: PiecewiseTensor {
    let number: Int
    let file: DTZFile

    init(number: Int, of file: DTZFile) {
        (self.number, self.file) = (number, file)
    }

    public var descriptor: TensorDescriptor { file.directory.tensors[number] }

    private var chunkByteCount: Int { file.directory.chunkByteCount(of: descriptor) }

    public var pieceCount: Int { file.directory.chunkCount(of: descriptor) }

    private func range(ofPiece piece: Int) -> Range<Int> {
        let start = piece * chunkByteCount
        return start..<start + min(chunkByteCount, descriptor.byteCount - start)
    }

    public func withPiece<Result>(
        _ piece: Int, _ body: (UnsafeRawBufferPointer, _ offset: Int) throws -> Result
    ) throws -> Result {
        let range = range(ofPiece: piece)
        return try file.pieces.with { memory in
            let bytes = memory(byteCount: range.count)
            try file.decode(chunk: piece, of: number, into: bytes)
            return try body(UnsafeRawBufferPointer(bytes), range.lowerBound)
        }
    }

    public func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= descriptor.rows)
        let size = descriptor.rowByteCount
        let wanted = rows.lowerBound * size..<rows.upperBound * size
        guard !wanted.isEmpty else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let first = wanted.lowerBound / chunkByteCount
        let last = (wanted.upperBound - 1) / chunkByteCount
        if first == last {
            let start = first * chunkByteCount
            let buffer = try cached(first)
            return try body(
                UnsafeRawBufferPointer(
                    rebasing: buffer.bytes[
                        wanted.lowerBound - start..<wanted.upperBound - start]))
        }
        let gathered = Buffer(byteCount: wanted.count)
        for chunk in first...last {
            let range = range(ofPiece: chunk)
            let common = range.clamped(to: wanted)
            let target = UnsafeMutableRawBufferPointer(
                rebasing: gathered.bytes[
                    common.lowerBound - wanted.lowerBound..<common.upperBound - wanted.lowerBound])
            guard common != range else {
                try file.decode(chunk: chunk, of: number, into: target)
                continue
            }
            let buffer = try cached(chunk)
            target.copyMemory(
                from: UnsafeRawBufferPointer(
                    rebasing: buffer.bytes[
                        common.lowerBound - range.lowerBound..<common.upperBound - range.lowerBound]
                ))
        }
        return try body(UnsafeRawBufferPointer(gathered.bytes))
    }

    private func cached(_ chunk: Int) throws -> Buffer {
        try file.cache.buffer(
            ChunkCache.Key(tensor: number, chunk: chunk), byteCount: range(ofPiece: chunk).count
        ) { try file.decode(chunk: chunk, of: number, into: $0) }
    }
}
