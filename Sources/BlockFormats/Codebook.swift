/// The vectors that a run of weights can take, up to signs and a scale.
///
/// Kept for the life of the process, in the two orders that decoders and searches read.
package final class Codebook: Sendable {
    /// Weights in a vector.
    package let dimensions: Int
    package let count: Int
    /// (entry, dimension)
    let entries: [Float]
    /// (dimension, entry)
    let columns: [Float]
    let highestLevel: Float

    /// - Parameters:
    ///   - table: which vectors belong to it; see `CodebookTables`.
    ///   - dimensions: of each vector.
    ///   - levels: what the digits of a vector stand for.
    ///   - shifts: added to all levels; the codebook is repeated for each.
    init(_ table: String, dimensions: Int, levels: [Float], shifts: [Float] = [0]) {
        var vectors: [[Float]] = []
        var number = 0
        for digit in table.utf8 {
            let bits = digit < UInt8(ascii: "A") ? digit - UInt8(ascii: "0") : digit - 55
            for bit in 0..<4 where bits >> UInt8(bit) & 1 == 1 {
                var rest = number + bit
                vectors.append(
                    (0..<dimensions).map { _ in
                        defer { rest /= levels.count }
                        return levels[rest % levels.count]
                    })
            }
            number += 4
        }
        let shifted = shifts.flatMap { shift in vectors.map { $0.map { $0 + shift } } }
        self.dimensions = dimensions
        count = shifted.count
        entries = shifted.flatMap { $0 }
        highestLevel = entries.max() ?? 0
        columns = (0..<dimensions).flatMap { dimension in shifted.map { $0[dimension] } }
    }
}

extension Codebook {
    private static let twoBitLevels: [Float] = [8, 25, 43]

    static let iq2_xxs = Codebook(CodebookTables.iq2_xxs, dimensions: 8, levels: twoBitLevels)
    static let iq2_xs = Codebook(CodebookTables.iq2_xs, dimensions: 8, levels: twoBitLevels)
    static let iq2_s = Codebook(CodebookTables.iq2_s, dimensions: 8, levels: twoBitLevels)
    static let iq3_xxs = Codebook(
        CodebookTables.iq3_xxs, dimensions: 4, levels: [4, 12, 20, 28, 36, 44, 52, 62])
    static let iq3_s = Codebook(
        CodebookTables.iq3_s, dimensions: 4, levels: [1, 3, 5, 7, 9, 11, 13, 15])
    /// Entries from 2048 on are those below it, shifted the other way.
    static let iq1 = Codebook(
        CodebookTables.iq1_s, dimensions: 8, levels: [-1, 0, 1], shifts: [0.125, -0.125])
}
