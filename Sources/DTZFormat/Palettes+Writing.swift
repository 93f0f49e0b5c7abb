import CKernels

extension Palettes {
    /// Packs groups.
    ///
    /// - Parameters:
    ///   - source: the first group.
    ///   - stride: from one group to the next.
    ///   - target: receives at most one byte more for each group than groups have.
    /// - Returns: how many bytes were written.
    func pack(
        _ source: UnsafeRawPointer, stride: Int, into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(target.count >= groups * (1 + groupByteCount))
        guard let start = target.baseAddress, groups > 0 else { return 0 }
        // As if all groups had palettes, until it is known how many have.
        let codes = start + groups * (1 + tableByteCount)
        var batch = PaletteBatch(self)
        var palettes = 0
        var others: [UInt8] = []
        for first in Swift.stride(from: 0, to: groups, by: PaletteBatch.size) {
            let count = min(PaletteBatch.size, groups - first)
            batch.find(source + first * stride, stride: stride, count: count)
            for number in 0..<count {
                let isOther = batch.distinct[number] > Palettes.size
                start.storeBytes(of: isOther ? 1 : 0, toByteOffset: first + number, as: UInt8.self)
                guard isOther else { continue }
                others += UnsafeRawBufferPointer(
                    start: source + (first + number) * stride, count: groupByteCount)
            }
            let kept = batch.removeOthers(count)
            batch.tables.withUnsafeBytes { bytes in
                for plane in 0..<tableByteCount {
                    (start + groups * (1 + plane) + palettes).put(
                        bytes, from: plane * PaletteBatch.size, count: kept)
                }
            }
            batch.codes.withUnsafeBytes {
                (codes + palettes * codeByteCount).put($0, from: 0, count: kept * codeByteCount)
            }
            palettes += kept
        }
        if palettes < groups {
            for plane in 1..<tableByteCount {
                (start + groups + plane * palettes).copyMemory(
                    from: start + groups * (1 + plane), byteCount: palettes)
            }
        }
        let end = start + groups + palettes * tableByteCount
        if end < codes { end.copyMemory(from: codes, byteCount: palettes * codeByteCount) }
        others.withUnsafeBytes {
            (end + palettes * codeByteCount).put($0, from: 0, count: $0.count)
        }
        return groups + palettes * (tableByteCount + codeByteCount) + others.count
    }

    /// The definition of `detent_palettes` for one group: the differences of its values in ascending order
    /// and the number of each element's value, or nil where there are too many values.
    package static func definition(
        _ elements: [Int32]
    ) -> (differences: [Int32], numbers: [Int])? {
        let values = Set(elements).sorted()
        guard values.count <= size else { return nil }
        let differences = zip(values, [0] + values).map { $0 &- $1 }
        return (
            differences + [Int32](repeating: 0, count: size - values.count),
            elements.map { element in values.count { $0 < element } }
        )
    }
}

/// Some groups whose palettes are found together.
private struct PaletteBatch {
    static let size = Int(DETENT_PALETTE_LANES)

    private let palettes: Palettes
    private var scratch, padded: [UInt8]
    private(set) var distinct = [UInt32](repeating: 0, count: size)
    /// A byte of each palette, then the next byte of each.
    private(set) var tables: [UInt8]
    /// Of one group after the other.
    private(set) var codes: [UInt8]

    init(_ palettes: Palettes) {
        func bytes(_ count: Int) -> [UInt8] {
            [UInt8](repeating: 0, count: count * PaletteBatch.size)
        }
        self.palettes = palettes
        (scratch, padded) = (bytes(palettes.groupByteCount), bytes(palettes.groupByteCount))
        (tables, codes) = (bytes(palettes.tableByteCount), bytes(palettes.codeByteCount))
    }

    mutating func find(_ source: UnsafeRawPointer, stride: Int, count: Int) {
        guard count < PaletteBatch.size else { return find(source, stride: stride) }
        // Behind the last group there is nothing to be read.
        let size = palettes.groupByteCount
        padded.withUnsafeMutableBytes { bytes in
            for number in 0..<count {
                UnsafeMutableRawBufferPointer(rebasing: bytes[number * size..<(number + 1) * size])
                    .copyMemory(
                        from: UnsafeRawBufferPointer(start: source + number * stride, count: size))
            }
        }
        let groups = padded
        groups.withUnsafeBytes { if let base = $0.baseAddress { find(base, stride: size) } }
    }

    private mutating func find(_ source: UnsafeRawPointer, stride: Int) {
        detent_palettes(
            source, stride, palettes.elements, palettes.width, &scratch, &distinct, &tables, &codes)
    }

    /// Moves the groups that have palettes together, and returns how many of the first `count` have.
    mutating func removeOthers(_ count: Int) -> Int {
        let kept = (0..<count).filter { distinct[$0] <= Palettes.size }
        guard kept.count < count else { return count }
        let size = palettes.codeByteCount
        for (place, number) in kept.enumerated() {
            for plane in 0..<palettes.tableByteCount {
                tables[plane * PaletteBatch.size + place] =
                    tables[plane * PaletteBatch.size + number]
            }
            for code in 0..<size { codes[place * size + code] = codes[number * size + code] }
        }
        return kept.count
    }
}

extension UnsafeMutableRawPointer {
    fileprivate func put(_ bytes: UnsafeRawBufferPointer, from start: Int, count: Int) {
        UnsafeMutableRawBufferPointer(start: self, count: count)
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
    }
}
