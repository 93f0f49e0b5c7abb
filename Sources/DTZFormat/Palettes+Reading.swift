import CKernels

extension Palettes {
    /// Puts groups back.
    ///
    /// - Parameters:
    ///   - packed: what `pack` wrote, or what a file says it did.
    ///   - target: where the first group belongs.
    ///   - stride: from one group to the next.
    /// - Returns: whether groups are packed in it, and nothing else is.
    func unpack(
        _ packed: UnsafeRawBufferPointer, into target: UnsafeMutableRawPointer, stride: Int
    ) -> Bool {
        guard packed.count >= groups, let source = packed.baseAddress else { return false }
        var (others, all) = (0, UInt8(0))
        for flag in packed[..<groups] { (others, all) = (others &+ Int(flag), all | flag) }
        guard all <= 1 else { return false }
        let palettes = groups - others
        let codes = groups + palettes * tableByteCount
        let elements = codes + palettes * codeByteCount
        guard packed.count == elements + others * groupByteCount else { return false }
        var (group, palette) = (0, 0)
        var other = source + elements
        while group < groups {
            let isOther = packed[group]
            let run = packed[group..<groups].prefix { $0 == isOther }.count
            defer { group += run }
            let place = target + group * stride
            guard isOther == 1 else {
                detent_palette_elements(
                    (source + groups + palette).bytes(palettes), palettes,
                    (source + codes + palette * codeByteCount).bytes(run * codeByteCount),
                    self.elements, width, run, place.bytes(run * stride), stride)
                palette += run
                continue
            }
            for number in 0..<run {
                (place + number * stride).copyMemory(from: other, byteCount: groupByteCount)
                other += groupByteCount
            }
        }
        return true
    }

    /// The definition of `detent_palette_elements` for one group.
    package static func elements(differences: [Int32], numbers: [Int]) -> [Int32] {
        var value: Int32 = 0
        let values = differences.map { difference in
            value &+= difference
            return value
        }
        return numbers.map { values[$0] }
    }
}
