/// A plane of exponents, two to a byte.
///
/// Nearly all exponents of a matrix are among fifteen neighbours. One byte says which the lowest of them
/// is; then follow codes of four bits, the first of two in the low half: the exponent less the lowest,
/// or 15 for an exponent that is none of them. Those follow as they are, in their order.
///
/// Pairs have half as many Huffman codes to write and to read, and lose less to the rounding of their
/// lengths to whole bits: BF16 takes 0.2 % less and is decompressed half as fast again.
///
/// Specified in Formats/DTZ/SPECIFICATION.md, "Transforms".
enum ExponentPairs {
    /// The code that stands for an exponent without one.
    private static let escape: UInt8 = 15
    /// One in so many exponents is looked at to find the lowest.
    private static let stride = 61

    /// Packs a plane, with some bytes in front.
    ///
    /// - Parameters:
    ///   - plane: the exponents. They may lie where the codes go.
    ///   - rest: what goes in front.
    ///   - target: receives it all.
    ///   - place: from where on.
    /// - Returns: where it ends.
    static func pack(
        plane: UnsafeMutableRawBufferPointer, behind rest: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer, at place: Int
    ) -> Int {
        let count = plane.count
        let start = place + rest.count + 1
        let codeCount = (count + 1) / 2
        let lowest = lowest(UnsafeRawBufferPointer(plane))
        // Escapes are found before codes overwrite what they stand for.
        var escapes: [UInt8] = []
        let codes = Buffer(byteCount: codeCount)
        if let source = plane.baseAddress?.bytes(count),
            let packed = codes.bytes.baseAddress?.bytes(codeCount)
        {
            for i in 0..<count / 2 {
                let first = min(source[2 &* i] &- lowest, escape)
                let second = min(source[2 &* i &+ 1] &- lowest, escape)
                packed[i] = first | second &<< 4
            }
            if count % 2 == 1 { packed[codeCount - 1] = min(source[count - 1] &- lowest, escape) }
            forEachEscape(UnsafeRawBufferPointer(codes.bytes), count: count) {
                escapes.append(source[$0])
                return true
            }
        }
        for (index, byte) in rest.enumerated() { target[place + index] = byte }
        target[start - 1] = lowest
        func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
            UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + bytes.count])
                .copyMemory(from: bytes)
        }
        put(UnsafeRawBufferPointer(rebasing: codes.bytes[..<codeCount]), at: start)
        escapes.withUnsafeBytes { put($0, at: start + codeCount) }
        return start + codeCount + escapes.count
    }

    /// Unpacks a plane.
    ///
    /// - Parameters:
    ///   - packed: the lowest exponent, codes, exponents without codes, and nothing else.
    ///   - plane: receives the exponents.
    /// - Returns: whether it was that.
    static func unpack(
        _ packed: UnsafeRawBufferPointer, into plane: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let count = plane.count
        let codeCount = (count + 1) / 2
        guard packed.count > codeCount else { return false }
        let lowest = UInt16(packed[0])
        let codes = UnsafeRawBufferPointer(rebasing: packed[1..<1 + codeCount])
        let escapes = UnsafeRawBufferPointer(rebasing: packed[(1 + codeCount)...])
        guard let source = codes.baseAddress?.bytes(codeCount), let target = plane.baseAddress
        else { return escapes.isEmpty }
        for i in 0..<count / 2 {
            let pair = UInt16(source[i])
            let first = (pair & 15 &+ lowest) & 0xFF
            let second = (pair &>> 4 &+ lowest) &<< 8
            (target + i &* 2).storeBytes(of: (first | second).littleEndian, as: UInt16.self)
        }
        if count % 2 == 1 {
            guard codes[codeCount - 1] <= escape else { return false }
            plane[count - 1] = UInt8(truncatingIfNeeded: UInt16(codes[codeCount - 1]) + lowest)
        }
        var taken = 0
        forEachEscape(codes, count: count) { index in
            guard taken < escapes.count else {
                taken = .max
                return false
            }
            plane[index] = escapes[taken]
            taken += 1
            return true
        }
        return taken == escapes.count
    }

    /// The lowest of the fifteen neighbours that most exponents are among, as far as some of them tell.
    private static func lowest(_ plane: UnsafeRawBufferPointer) -> UInt8 {
        var counts = [Int](repeating: 0, count: 256)
        let step = plane.count < 1 << 16 ? 1 : stride
        for index in Swift.stride(from: 0, to: plane.count, by: step) {
            counts[Int(plane[index])] += 1
        }
        var covered = counts[..<15].reduce(0, +)
        var best = (lowest: 0, covered: covered)
        for lowest in 1...(256 - 15) {
            covered += counts[lowest + 14] - counts[lowest - 1]
            if covered > best.covered { best = (lowest, covered) }
        }
        return UInt8(best.lowest)
    }

    /// Calls `body` with the place of every exponent without a code, until it says that it is enough.
    private static func forEachEscape(
        _ codes: UnsafeRawBufferPointer, count: Int, _ body: (Int) -> Bool
    ) {
        func look(_ byte: Int) -> Bool {
            if codes[byte] & 15 == 15, !body(2 * byte) { return false }
            return codes[byte] < 0xF0 || 2 * byte + 1 >= count || body(2 * byte + 1)
        }
        let codeCount = (count + 1) / 2
        var byte = 0
        while byte + 8 <= codeCount {
            let eight = codes.loadUnaligned(fromByteOffset: byte, as: UInt64.self)
            // The lowest bit of each half byte whose four bits are all set.
            let all = eight & eight &>> 1 & eight &>> 2 & eight &>> 3 & 0x1111_1111_1111_1111
            if all != 0 {
                for place in byte..<byte + 8 where !look(place) { return }
            }
            byte += 8
        }
        while byte < codeCount {
            guard look(byte) else { return }
            byte += 1
        }
    }
}
