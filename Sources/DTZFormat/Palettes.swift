/// Groups of elements that have few values, as weights do that were once decoded from blocks of four bits.
///
/// A group of at most sixteen values becomes these, in ascending order, the first as it is and each other
/// one as the difference from the one before it, and a code of four bits for each element. What belongs
/// to the same place in all palettes lies together, for differences there are alike. Other groups stay as
/// they are, behind all codes:
///
///     groups                     a byte each: 0 where it has a palette, 1 where it has none
///     16 × bytes of an element   a byte of each palette: first values, then differences
///     codes                      of the groups with a palette, two in a byte, the first in the low half
///     elements                   of the other groups
///
/// Specified in Formats/DTZ/SPECIFICATION.md, "Transforms".
package struct Palettes {
    /// How many groups there are.
    let groups: Int
    /// Elements of a group.
    let elements: Int
    /// Bytes of an element.
    let width: Int

    /// Values of a palette.
    static let size = 16
    /// The elements of a group are a multiple of this: with fewer, a palette may take more than it saves.
    static let elementMultiple = 32
    /// Groups of a sample that are looked at before palettes are tried.
    private static let probes = 32

    var groupByteCount: Int { elements * width }
    var codeByteCount: Int { elements / 2 }
    var tableByteCount: Int { Palettes.size * width }

    /// How many runs of bytes of one kind palettes become, of elements of so many bytes.
    static func planeCount(width: Int) -> Int { 3 + size * width }

    /// Where runs of bytes of one kind end in what `pack` wrote.
    func planeEnds(_ packed: UnsafeRawBufferPointer) -> [Int] {
        let palettes = packed[..<groups].reduce(groups) { $0 - Int($1) }
        let planes = (0...tableByteCount).map { groups + $0 * palettes }
        return planes + [groups + palettes * (tableByteCount + codeByteCount)]
    }

    /// Whether so many groups have few values that palettes are worth trying: others are left after some
    /// twenty elements.
    ///
    /// - Parameters:
    ///   - bytes: where the groups are.
    ///   - start: of the first group.
    ///   - stride: from one group to the next.
    /// - Returns: whether more than half of some groups have.
    func areLikely(in bytes: UnsafeRawBufferPointer, start: Int, stride: Int) -> Bool {
        let step = max(1, groups / Palettes.probes)
        var looked = 0, few = 0
        for number in Swift.stride(from: 0, to: groups, by: step) {
            let place = start + number * stride
            let group = UnsafeRawBufferPointer(rebasing: bytes[place..<place + groupByteCount])
            looked += 1
            few += hasFewValues(group) ? 1 : 0
        }
        return 2 * few > looked
    }

    private func hasFewValues(_ group: UnsafeRawBufferPointer) -> Bool {
        var values: [UInt32] = []
        for place in stride(from: 0, to: group.count, by: width) {
            let value = (0..<width).reduce(UInt32(0)) { $0 << 8 | UInt32(group[place + $1]) }
            if values.contains(value) { continue }
            guard values.count < Palettes.size else { return false }
            values.append(value)
        }
        return true
    }
}
