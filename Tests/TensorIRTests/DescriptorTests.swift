import TensorIR
import TestSupport
import Testing

@Test(arguments: [
    ([Int.max, 2], Encoding.scalar(.f32)), ([1 << 32, 1 << 32], .scalar(.u8)),
    ([-1], .scalar(.f32)), ([3, 33], .block(.q4_0)), ([1 << 62], .scalar(.f64)),
    ([Int.max, 0, 2], .scalar(.f32)),
]) func sizesThatCannotBeStatedAreRefused(shape: [Int], encoding: Encoding) {
    let descriptor = TensorDescriptor(name: "t", shape: shape, encoding: encoding)
    #expect(descriptor == nil || descriptor?.byteCount == 0)
}

@Test func sizesFollowTheEncoding() throws {
    let blocks = try #require(
        TensorDescriptor(name: "t", shape: [3, 64], encoding: .block(.q4_0)))
    #expect((blocks.rowByteCount, blocks.byteCount, blocks.rows) == (36, 108, 3))
    let scalar = try #require(TensorDescriptor(name: "s", shape: [], encoding: .scalar(.f32)))
    #expect((scalar.byteCount, scalar.count) == (4, 1))
    let grouped = GroupedAffine(bits: 3, groupSize: 10, offset: .zeroPoint)
    let tail = try #require(
        TensorDescriptor(name: "g", shape: [2, 25], encoding: .grouped(grouped)))
    #expect(tail.rowByteCount == 3 * (2 + 1 + 4))
}

@Test func permutedRowsAreGatheredInAnyRange() throws {
    let descriptor = try #require(
        TensorDescriptor(name: "t", shape: [4, 2], encoding: .scalar(.u8)))
    let base = BufferedTensor(descriptor, bytes: [0, 1, 10, 11, 20, 21, 30, 31])
    let reversed = PermutedTensor(base) { 3 - $0 }
    #expect(try reversed.bytes() == [30, 31, 20, 21, 10, 11, 0, 1])
    #expect(try reversed.withBytes(rows: 1..<3) { Array($0) } == [20, 21, 10, 11])
    #expect(RenamedTensor(reversed, name: "u").descriptor.name == "u")
}
