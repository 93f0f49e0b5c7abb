import ByteIO
import TensorIR

extension OriginalFile {
    /// The file's size, the number of tensors in it, each one's number and offset, and the remainder.
    func bytes() -> [UInt8] {
        var writer = ByteWriter()
        writer.integer(UInt64(byteCount))
        writer.integer(UInt64(places.count))
        for place in places {
            writer.integer(UInt32(place.tensor))
            writer.integer(UInt64(place.offset))
        }
        return writer.bytes + remainder
    }

    /// Reads what `bytes()` makes, and proves that tensors and remainder make up the file.
    init(named name: String, bytes: [UInt8], byteCounts: [Int]) throws(FormatError) {
        self = try bytes.withUnsafeBytes { bytes in
            Result { () throws(FormatError) in
                try OriginalFile(named: name, bytes, byteCounts)
            }
        }.get()
    }

    private init(
        named name: String, _ bytes: UnsafeRawBufferPointer, _ byteCounts: [Int]
    ) throws(FormatError) {
        var reader = ByteReader(
            bytes, reading: "section '\(name.escapedForDisplay)': original file")
        guard let byteCount = Int(exactly: try reader.integer(UInt64.self)) else {
            throw reader.failure(.limitExceeded, "is too large")
        }
        let count = try reader.count(ofElementsAtLeast: 12)
        var places: [Place] = []
        var cursor = 0
        var gaps = 0
        for _ in 0..<count {
            let tensor = Int(try reader.integer(UInt32.self))
            let claimed = try reader.integer(UInt64.self)
            guard tensor < byteCounts.count, let offset = Int(exactly: claimed),
                offset >= cursor, offset <= byteCount, byteCounts[tensor] <= byteCount - offset
            else {
                throw reader.failure(
                    .inconsistent, "tensor \(tensor) does not fit at \(claimed)")
            }
            gaps += offset - cursor
            cursor = offset + byteCounts[tensor]
            places.append(Place(tensor: tensor, offset: offset))
        }
        gaps += byteCount - cursor
        guard reader.remaining == gaps else {
            throw reader.failure(
                .inconsistent, "leaves \(gaps) bytes, \(reader.remaining) are there")
        }
        self.init(
            name: name, byteCount: byteCount, places: places,
            remainder: [UInt8](try reader.take(gaps)))
    }
}
