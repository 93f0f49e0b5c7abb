import ByteIO
import Testing

@Test func readsLittleEndianIntegersInOrder() throws {
    let bytes: [UInt8] = [1, 0, 2, 0, 0, 0, 0xFF]
    try bytes.withUnsafeBytes { (buffer) throws in
        var reader = ByteReader(buffer, reading: "test")
        #expect(try reader.integer(UInt16.self) == 1)
        #expect(try reader.integer(UInt32.self) == 2)
        #expect(try reader.integer(Int8.self) == -1)
        #expect(reader.remaining == 0)
        #expect(throws: FormatError.self) { try reader.integer(UInt8.self) }
    }
}

@Test(arguments: [UInt64.max, 1 << 60, 2]) func aCountBeyondTheFileIsRefused(claimed: UInt64) {
    withUnsafeBytes(of: (claimed.littleEndian, UInt64(0))) { buffer in
        var reader = ByteReader(buffer, reading: "tensor count")
        #expect { try reader.count(ofElementsAtLeast: 8) } throws: {
            ($0 as? FormatError)?.code == .limitExceeded
        }
    }
}

@Test(arguments: [-1, 9, Int.max]) func aLengthBeyondTheFileIsRefused(length: Int) {
    [UInt8](repeating: 0, count: 8).withUnsafeBytes { buffer in
        var reader = ByteReader(buffer, reading: "test")
        #expect(throws: FormatError.self) { try reader.take(length) }
    }
}
