import BlockFormats
import TensorIR

/// Encoded rows in memory. Which thread touches which rows is for the caller to divide.
///
/// The memory is not initialized: pages that no position has reached cost nothing.
final class CacheRows: @unchecked Sendable {
    private let codec: RowCodec
    private let bytes: UnsafeMutableRawBufferPointer

    /// - Precondition: the codec can encode.
    init(_ codec: RowCodec, count: Int) {
        precondition(codec.canEncode)
        self.codec = codec
        bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, count * codec.rowByteCount), alignment: 64)
    }

    deinit { bytes.deallocate() }

    var byteCount: Int { bytes.count }

    func store(_ rows: UnsafeMutableBufferPointer<Float>, at row: Int) {
        let count = rows.count / codec.columns
        codec.encode(UnsafeBufferPointer(rows), into: range(row, count))
    }

    func decode(_ row: Int, into floats: UnsafeMutableBufferPointer<Float>) {
        codec.decode(UnsafeRawBufferPointer(range(row, 1)), into: floats)
    }

    func copy(_ row: Int, to target: Int, count: Int) {
        range(target, count).copyMemory(from: UnsafeRawBufferPointer(range(row, count)))
    }

    /// A row as it lies in memory, where rows are floats.
    ///
    /// F32 is little-endian, as is every platform that this package supports.
    func floats(_ row: Int) -> UnsafePointer<Float>? {
        guard codec.encoding == .scalar(.f32) else { return nil }
        return UnsafeRawBufferPointer(range(row, 1)).baseAddress?.assumingMemoryBound(
            to: Float.self)
    }

    private func range(_ row: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        let start = row * codec.rowByteCount
        return UnsafeMutableRawBufferPointer(
            rebasing: bytes[start..<start + count * codec.rowByteCount])
    }
}
