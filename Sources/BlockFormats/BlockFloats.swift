/// Numbers in block floating point: integers of 20 bits and sign, 32 of which have a unit in common, a power of two.
///
/// Products of a block of codes with them are sums of integers, exact, and several times as fast as in floating point. A
/// number is off by 2⁻²¹ of the largest of its block at most, and a product with a row by one to three millionths
/// of what such products are. A block with a number that is not finite has a unit that is not a number, and so has
/// what it is multiplied with.
package struct BlockFloats {
    /// The numbers in their units.
    package let integers: [Int32]
    /// One for every 32 numbers.
    package let units: [Float]

    private static let bits = 20
    /// Of the smallest unit. The kernels build powers of two from exponents, which must stay in range.
    private static let smallestExponent = -119

    /// Numbers in a group of the kernels: four blocks.
    private static let numbersPerGroup = 128

    static func groupCount(_ columns: Int) -> Int {
        (columns + numbersPerGroup - 1) / numbersPerGroup
    }

    /// The definition of `detent_digits`, but for the order in which it stores digits.
    package init(_ x: [Float]) {
        precondition(x.count % 32 == 0)
        var (integers, units) = ([Int32](), [Float]())
        for start in stride(from: 0, to: x.count, by: 32) {
            let block = x[start..<start + 32]
            guard block.allSatisfy(\.isFinite) else {
                units.append(.nan)
                integers += [Int32](repeating: 0, count: 32)
                continue
            }
            let largest = block.reduce(0) { max($0, abs($1)) }
            // The largest number is less than 2^bits units.
            let exponent = largest == 0 ? Int.min : Int(largest.exponent) + 1 - BlockFloats.bits
            let unit = Float(
                sign: .plus, exponent: max(exponent, BlockFloats.smallestExponent), significand: 1)
            units.append(unit)
            integers += block.map { Int32(($0 / unit).rounded(.toNearestOrEven)) }
        }
        (self.integers, self.units) = (integers, units)
    }

    /// The definition of a dot product with a row of blocks that have a scale each, to the bit.
    ///
    /// The sixteen lanes are four for each of four blocks; a block's integers at i and at i + 16 belong to lane i / 4 of its
    /// four.
    ///
    /// - Parameters:
    ///   - levels: the row's codes, less what stands for zero.
    ///   - scales: one for every 32 of them.
    /// - Returns: the product.
    package func dotReference(levels: [Int32], scales: [Float]) -> Float {
        precondition(levels.count == integers.count && scales.count == units.count)
        var lanes = [Float](repeating: 0, count: 16)
        for block in scales.indices {
            for lane in 0..<4 {
                let places = [0, 16].flatMap { half in
                    (0..<4).map { 32 * block + half + 4 * lane + $0 }
                }
                let sum = places.reduce(0) { $0 + levels[$1] * integers[$1] }
                lanes[block % 4 * 4 + lane] += Float(sum) * (scales[block] * units[block])
            }
        }
        for width in [8, 4, 2, 1] {
            for lane in 0..<width { lanes[lane] += lanes[lane + width] }
        }
        return lanes[0]
    }
}
